using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models;
using MLNetExtension.Training.Ranks;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Accumulation;

/// <summary>The part of a batch's gradient that one worker sums, on the model itself or on a replica of it.</summary>
internal sealed class WorkerGradient : IDisposable
{
    private readonly CausalLanguageModel _model;
    private readonly bool _ownsModel;
    private readonly GradientSettings _settings;
    private readonly GradientAccumulator _accumulator;
    private readonly RouterBalance _balance;
    private readonly MicroBatchGradient _microBatchGradient;

    /// <summary>Makes the gradient of a model, whose parameters are moved into flat buffers.</summary>
    /// <param name="model">The model; it stays its owner's.</param>
    /// <param name="settings">How the gradient is computed.</param>
    public WorkerGradient(CausalLanguageModel model, GradientSettings settings)
        : this(model, settings, new FlatParameters(model.named_parameters(), settings.Decays), ownsModel: false)
    {
    }

    private WorkerGradient(CausalLanguageModel model, GradientSettings settings, FlatParameters parameters, bool ownsModel)
    {
        (_model, _settings, Parameters, _ownsModel) = (model, settings, parameters, ownsModel);
        _accumulator = new GradientAccumulator(parameters, settings.Normalization);
        _balance = new RouterBalance(settings.BalanceCoefficient, settings.BalanceScope, model.BalancesBlocksTogether ? model.Blocks.Count(block => block.HasRouter) : 1);
        _microBatchGradient = new MicroBatchGradient(model, parameters, settings, _balance);
        // The second forward pass is for the shares of experts alone: a model without routers must not pay for it.
        CountsRoutingFirst = _balance.NeedsCountsFirst && model.Blocks.Any(block => block.HasRouter);
    }

    /// <summary>The model's parameters and this worker's gradients.</summary>
    public FlatParameters Parameters { get; }

    /// <summary>Whether <see cref="CountRouting"/> must see the whole batch before the first gradient is computed.</summary>
    public bool CountsRoutingFirst { get; }

    /// <summary>Makes the gradient of another worker, over a replica of the model: the same weights, a gradient buffer of its own.</summary>
    /// <exception cref="NotSupportedException">The model cannot be replicated.</exception>
    public WorkerGradient Replicate()
    {
        CausalLanguageModel replica = _model.Replicate();
        return new WorkerGradient(replica, _settings, Parameters.Share(replica.named_parameters()), ownsModel: true);
    }

    /// <summary>Sets the counts of routers to zero, for the next batch.</summary>
    public void ResetRouting() => _balance.Reset();

    /// <summary>Counts what routers decide in some micro-batches of a batch.</summary>
    /// <param name="microBatches">All micro-batches of the batch.</param>
    /// <param name="part">The indices of this worker's micro-batches.</param>
    /// <param name="dropoutSeed">Seed of dropout in the batch and of the step, the same on every rank.</param>
    /// <param name="cancellationToken">Looked at before every micro-batch.</param>
    public void CountRouting(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, int[] part, long dropoutSeed, CancellationToken cancellationToken)
    {
        foreach (int k in part)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Visit(microBatches[k], microBatch => _microBatchGradient.CountRouting(microBatch, SeedsOf(dropoutSeed, k)));
        }
    }

    /// <summary>Adds up what the workers of all ranks have counted of a batch and gives each of them the sums. Collective.</summary>
    /// <param name="workers">All workers of this rank.</param>
    /// <param name="ranks">The ranks.</param>
    public static void ShareRouting(IReadOnlyList<WorkerGradient> workers, IRankGroup ranks) => RouterBalance.ShareCounts([.. workers.Select(worker => worker._balance)], ranks);

    /// <summary>Computes the log-probability of each row of some micro-batches without a gradient, as it is in <see cref="Add(IReadOnlyList{IReadOnlyList{TokenExample}}, int[], long, CancellationToken)"/>.</summary>
    /// <param name="microBatches">All micro-batches of the batch.</param>
    /// <param name="part">The indices of this worker's micro-batches.</param>
    /// <param name="dropoutSeed">Seed of dropout in the batch.</param>
    /// <param name="results">Receives, at the index of each of its micro-batches, the sums over the targets of each row, in nats.</param>
    /// <param name="cancellationToken">Looked at before every micro-batch.</param>
    public void ComputeLogProbabilities(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, int[] part, long dropoutSeed, double[][] results, CancellationToken cancellationToken)
    {
        foreach (int k in part)
        {
            cancellationToken.ThrowIfCancellationRequested();
            double[] sums = results[k] = new double[microBatches[k].Count];
            Visit(microBatches[k], microBatch =>
            {
                Queue<double> tokens = new(_microBatchGradient.ComputeLogProbabilities(microBatch, SeedsOf(dropoutSeed, k)));
                for (int row = 0; row < sums.Length; row++)
                {
                    for (int i = 0; i < microBatches[k][row].TargetCount; i++)
                        sums[row] += tokens.Dequeue();
                }
            });
        }
    }

    /// <summary>Adds the gradients of some micro-batches of a batch.</summary>
    /// <param name="microBatches">All micro-batches of the batch.</param>
    /// <param name="part">The indices of this worker's micro-batches.</param>
    /// <param name="dropoutSeed">Seed of dropout in the batch and of the step, the same on every rank.</param>
    /// <param name="cancellationToken">Looked at before every micro-batch.</param>
    public void Add(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, int[] part, long dropoutSeed, CancellationToken cancellationToken)
    {
        foreach (int k in part)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Add(microBatches[k], SeedsOf(dropoutSeed, k));
        }
    }

    /// <summary>Adds the gradient of a micro-batch; one without a target is skipped.</summary>
    /// <param name="examples">Its rows.</param>
    /// <param name="dropoutSeed">Seed of dropout in it, and of the step.</param>
    public void Add(IReadOnlyList<TokenExample> examples, long dropoutSeed) => Add(examples, new RandomSeeds(dropoutSeed, dropoutSeed));

    /// <summary>Adds what another worker has summed of the same batch.</summary>
    /// <param name="other">The other worker.</param>
    public void Merge(WorkerGradient other) => _accumulator.Merge(other._accumulator);

    /// <summary>Divides the batch's gradient, once every part of it has been added; each rank divides its shard. Collective.</summary>
    /// <param name="ranks">The ranks.</param>
    public BatchLoss DivideGradient(IRankGroup ranks) => _accumulator.DivideGradient(ranks);

    /// <summary>Sets sums, counts and gradients to zero, for the next batch.</summary>
    public void Reset() => _accumulator.Reset();

    /// <summary>Frees the buffers; the model keeps its weights.</summary>
    public void Dispose()
    {
        _microBatchGradient.Dispose();
        _balance.Dispose();
        _accumulator.Dispose();
        Parameters.Dispose();
        if (_ownsModel)
            _model.Dispose();
    }

    private void Add(IReadOnlyList<TokenExample> examples, RandomSeeds seeds) => Visit(examples, microBatch =>
    {
        double scale = _accumulator.Scale(microBatch.TargetWeight);
        (LossSum loss, Tensor? auxiliary) = _microBatchGradient.Backward(microBatch, scale, seeds);
        _accumulator.Add(loss);
        if (auxiliary is not null)
            _accumulator.AddAuxiliary(auxiliary, loss.TargetCount);
    });

    // Dropout differs from micro-batch to micro-batch and from rank to rank; the first rank's is that of one alone.
    private RandomSeeds SeedsOf(long step, int microBatch)
    {
        long rank = _settings.Rank == 0 ? step : (long)(SplitMix64.Mix(unchecked((ulong)step + (uint)_settings.Rank)) >> 1);
        return new RandomSeeds(step, unchecked(rank + microBatch));
    }

    private void Visit(IReadOnlyList<TokenExample> examples, Action<MicroBatch> visit)
    {
        // Not by what the targets weigh together: the rows of a pair have weights of both signs.
        if (!examples.Any(example => example.HasTargets))
            return;
        using var scope = NewDisposeScope();
        Device device = Parameters.Values.device;
        using MicroBatch microBatch = _settings.Pack ? MicroBatch.Pack(examples, device, _settings.PromptWeight) : MicroBatch.Collate(examples, device, _settings.PromptWeight);
        visit(microBatch);
    }
}
