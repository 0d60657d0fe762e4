using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Accumulation;

/// <summary>The gradient of a batch, split in any way, in the flat parameters of its model: backward of the sum for every micro-batch, then one division.</summary>
internal sealed class BatchGradient : IDisposable
{
    private readonly CausalLanguageModel _model;
    private readonly CausalLanguageModel? _replica;    // where the model is this object's own
    private readonly GradientAccumulator _accumulator;
    private readonly LossNormalization _normalization;
    private readonly ITokenLoss _loss;
    private readonly RouterBalance _balance;
    private readonly MicroBatchGradient _microBatchGradient;
    private readonly bool _recompute, _pack;

    public BatchGradient(
        CausalLanguageModel model, LossNormalization normalization, ITokenLoss? loss = null, bool recompute = false, bool pack = false, RouterBalance? balance = null)
        : this(model, new FlatParameters(model.named_parameters()), normalization, loss, recompute, pack, balance)
    {
    }

    private BatchGradient(
        CausalLanguageModel model, FlatParameters parameters, LossNormalization normalization, ITokenLoss? loss, bool recompute, bool pack, RouterBalance? balance, CausalLanguageModel? replica = null)
    {
        (_model, Parameters, _normalization, _recompute, _pack, _replica) = (model, parameters, normalization, recompute, pack, replica);
        _accumulator = new GradientAccumulator(Parameters, normalization);
        _loss = loss ?? new LinearCrossEntropy();
        _balance = balance ?? new RouterBalance(0, RouterBalanceScope.MicroBatch);
        _microBatchGradient = new MicroBatchGradient(model, Parameters, _loss, _balance, recompute);
        // A second forward pass is for shares of experts alone: a model without routers must not pay for it.
        CountsRoutingFirst = _balance.CountsFirst && model.Blocks.Any(block => block.HasRouter);
    }

    /// <summary>The model's parameters and their gradients.</summary>
    public FlatParameters Parameters { get; }

    /// <summary>Whether <see cref="CountRouting"/> must see the whole batch before its first gradient.</summary>
    public bool CountsRoutingFirst { get; }

    /// <summary>Makes another of its kind over a replica of the model: the same weights, a gradient buffer of its own.</summary>
    /// <exception cref="NotSupportedException">The model cannot be replicated.</exception>
    public BatchGradient Replicate()
    {
        CausalLanguageModel replica = _model.Replicate();
        return new BatchGradient(replica, Parameters.Share(replica.named_parameters()), _normalization, _loss, _recompute, _pack, _balance.Replicate(), replica);
    }

    /// <summary>Accumulates the gradient of a batch into the flat parameters, which must be zero before.</summary>
    /// <param name="microBatches">The batch's examples in micro-batches; a micro-batch without a target is passed over.</param>
    /// <param name="dropoutSeed">Seed of dropout.</param>
    public BatchLoss Accumulate(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, long dropoutSeed = 0)
    {
        int[] all = [.. Enumerable.Range(0, microBatches.Count)];
        if (CountsRoutingFirst)
            CountRouting(microBatches, all, dropoutSeed);
        Add(microBatches, all, dropoutSeed);
        return Finish();
    }

    /// <summary>Counts what routers decide in some micro-batches of a batch.</summary>
    /// <param name="microBatches">All micro-batches of the batch.</param>
    /// <param name="part">Which of them.</param>
    /// <param name="dropoutSeed">Seed of dropout in the batch.</param>
    public void CountRouting(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, int[] part, long dropoutSeed)
    {
        _balance.Begin();
        foreach (int k in part)
            Visit(microBatches[k], unchecked(dropoutSeed + k), _microBatchGradient.CountRouting);
    }

    /// <summary>Adds up what workers have counted of a batch and tells each of them the sums.</summary>
    /// <param name="workers">All workers of the batch.</param>
    public static void ShareRouting(IReadOnlyList<BatchGradient> workers) => RouterBalance.Share([.. workers.Select(worker => worker._balance)]);

    /// <summary>Adds some micro-batches of a batch.</summary>
    /// <param name="microBatches">All micro-batches of the batch.</param>
    /// <param name="part">Which of them.</param>
    /// <param name="dropoutSeed">Seed of dropout in the batch.</param>
    public void Add(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, int[] part, long dropoutSeed)
    {
        foreach (int k in part)
            Add(microBatches[k], unchecked(dropoutSeed + k));
    }

    /// <summary>Adds a micro-batch to the batch; one without a target is passed over.</summary>
    /// <param name="examples">Its rows.</param>
    /// <param name="dropoutSeed">Seed of dropout in it.</param>
    public void Add(IReadOnlyList<TokenExample> examples, long dropoutSeed) => Visit(examples, dropoutSeed, (microBatch, seed) =>
    {
        (LossSum loss, Tensor? auxiliary) = _microBatchGradient.Backward(microBatch, _accumulator.Scale(microBatch.TargetWeight), seed);
        _accumulator.Add(loss);
        if (auxiliary is not null)
            _accumulator.AddAuxiliary(auxiliary, loss.TargetCount);
    });

    /// <summary>Adds what another rank has summed of the same batch.</summary>
    /// <param name="other">The other rank.</param>
    public void Merge(BatchGradient other) => _accumulator.Merge(other._accumulator);

    /// <summary>Divides the batch's gradient, once.</summary>
    public BatchLoss Finish() => _accumulator.Finish();

    /// <summary>Makes ready for the next batch.</summary>
    public void Reset() => _accumulator.Reset();

    /// <summary>Frees the buffers; the model keeps its weights.</summary>
    public void Dispose()
    {
        _balance.Dispose();
        _accumulator.Dispose();
        Parameters.Dispose();
        _replica?.Dispose();
    }

    private void Visit(IReadOnlyList<TokenExample> examples, long dropoutSeed, Action<MicroBatch, long> visit)
    {
        using var scope = NewDisposeScope();
        Device device = Parameters.Values.device;
        using var microBatch = _pack ? MicroBatch.Pack(examples, device) : MicroBatch.Collate(examples, device);
        if (microBatch.TargetWeight > 0)
            visit(microBatch, dropoutSeed);
    }
}
