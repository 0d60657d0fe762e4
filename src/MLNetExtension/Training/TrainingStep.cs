using System.Diagnostics;
using System.Globalization;
using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Optimization;
using MLNetExtension.Training.Ranks;
using MLNetExtension.Training.Reports;
using MLNetExtension.Training.Splitting;
using TorchSharp;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace MLNetExtension.Training;

/// <summary>What an optimizer step gave.</summary>
/// <param name="Loss">The figures of its batch.</param>
/// <param name="Outcome">Whether the weights were updated.</param>
/// <param name="PaddingShare">Share of the positions computed that were padding, 0 to 1.</param>
/// <param name="LearningRate">Its learning rate.</param>
/// <param name="Duration">How long it took.</param>
internal readonly record struct StepResult(BatchLoss Loss, StepOutcome Outcome, double PaddingShare, double LearningRate, TimeSpan Duration);

/// <summary>One optimizer step: accumulate the gradient of the batch, divided once; clip; step; zero.</summary>
internal sealed class TrainingStep : IDisposable
{
    private readonly PrecisionScope _precision;
    private readonly BatchGradient _gradient;
    private readonly double _maximumGradientNorm;
    private readonly RankSetup _ranks;
    private SplitPlan _plan;
    private SearchSpace? _search;    // null where no plan is to be searched, or no longer

    /// <summary>Makes a step over a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="options">How it is trained.</param>
    /// <param name="tune">Whether the training is long enough to search for the fastest split, where none is given.</param>
    /// <param name="decays">Whether weight decay acts on a parameter. Default: on those of two and more dimensions.</param>
    /// <param name="ranks">The ranks that take the step together. Default: this process alone.</param>
    /// <exception cref="ArgumentOutOfRangeException">Several workers are asked for, and the device or the model allows one.</exception>
    public TrainingStep(CausalLanguageModel model, TrainingOptions options, bool tune, Func<string, Parameter, bool>? decays = null, RankSetup? ranks = null)
    {
        _ranks = ranks ?? RankSetup.Alone;
        bool onCpu = model.Device.type == DeviceType.CPU, pack = options.Batching.PackRows ?? onCpu;
        RequireWorkers(options.Batching.Workers, model, onCpu);
        _maximumGradientNorm = options.Optimizer.MaximumGradientNorm;
        _precision = new PrecisionScope(model, options.Batching.Precision);
        _gradient = new BatchGradient(model, new GradientSettings
        {
            Normalization = options.Loss.Normalization,
            Loss = options.Loss.TokenLoss ?? new LinearCrossEntropy(labelSmoothing: options.Loss.LabelSmoothing, zLoss: options.Loss.ZLoss),
            Decays = decays,
            Recompute = options.Batching.ActivationRecomputation,
            Pack = pack,
            BalanceCoefficient = options.Loss.RouterBalanceCoefficient ?? model.RouterBalanceCoefficient,
            BalanceScope = options.Loss.RouterBalanceScope,
        });
        _precision.CopyMastersTo(Parameters);
        Optimizer = options.Optimizer.CreateOptimizer(Parameters, _ranks.OptimizerGroup);

        int? threads = onCpu ? Math.Min(options.Batching.Threads ?? _ranks.Group.Threads, Environment.ProcessorCount) : null;
        _plan = new SplitPlan(options.Batching.MaximumTokensPerMicroBatch ?? MicroBatchTuner.DefaultTokens, options.Batching.Workers ?? 1, threads, pack);
        if (!tune || options.Batching.MaximumTokensPerMicroBatch is not null)
            return;
        IReadOnlyList<int> workersToTry = options.Batching.Workers is { } workers ? [workers]
            : threads is { } all && model.CanReplicate ? MicroBatchTuner.ListWorkers(all)
            : [1];
        _search = new SearchSpace(_plan, workersToTry, options.Batching.MemoryLimitMiB);
    }

    /// <summary>Called when a batch did not fit into memory, with the plan that it began with and the one by which it was computed.</summary>
    public Action<SplitPlan, SplitPlan>? OnOutOfMemory { get; init; }

    /// <summary>The weights that are trained, and their gradients.</summary>
    public FlatParameters Parameters => _gradient.Parameters;

    /// <summary>The optimizer.</summary>
    public AdamW Optimizer { get; }

    /// <summary>Most positions of a micro-batch, as of now.</summary>
    public int TokensPerMicroBatch => _plan.Tokens;

    /// <summary>How many micro-batches are computed at the same time, as of now.</summary>
    public int Workers => _plan.Workers;

    /// <summary>Searches for the fastest split, where none is given, on the first batch that has targets; changes no weight. Every rank tries its own rows, and all take the first's choice.</summary>
    /// <param name="batch">The examples of the next step.</param>
    /// <param name="requests">End the search before the next micro-batch.</param>
    /// <returns>False where the search was given up, because the training is to stop.</returns>
    /// <exception cref="OperationCanceledException">The training is to be cancelled.</exception>
    public bool TryTune(IReadOnlyList<TokenExample> batch, EndRequests requests)
    {
        if (_search is null || !batch.Any(e => e.HasTargets))
            return true;
        using var scope = NewDisposeScope();
        IReadOnlyList<TokenExample> own = TakeShare(batch);
        if (!requests.TryRun(token => _plan = own.Any(e => e.HasTargets) ? MicroBatchTuner.FindFastestPlan(_gradient, own, _search, token) : _plan))
            return false;
        double[] chosen = _ranks.Group.Gather(_plan.Tokens, _plan.Workers)[0];
        TakePlan(chosen[0], chosen[1]);
        _search = null;
        return true;
    }

    /// <summary>Reads the ids of this rank's rows of a batch, so that the step need not wait for them; on any thread.</summary>
    /// <param name="batch">The examples of a later step.</param>
    /// <exception cref="IOException">They cannot be read.</exception>
    public void Load(IReadOnlyList<TokenExample> batch)
    {
        foreach (TokenExample example in TakeShare(batch))
            example.Load();
    }

    /// <summary>Trains on a batch, of which each rank computes its share.</summary>
    /// <param name="batch">The examples of this step.</param>
    /// <param name="learningRate">Learning rate of this step.</param>
    /// <param name="dropoutSeed">Seed of this step's dropout.</param>
    /// <param name="cancellationToken">Gives the step up before the next micro-batch; no weight has changed then.</param>
    /// <exception cref="OperationCanceledException">The token asked for it.</exception>
    public StepResult Run(IReadOnlyList<TokenExample> batch, double learningRate, long dropoutSeed, CancellationToken cancellationToken = default)
    {
        long start = Stopwatch.GetTimestamp();
        using var scope = NewDisposeScope();    // in-place calls, too, give a new handle
        // Of the whole step: threads that kernels have just used spin for a while, and would take a core from the next batch's workers.
        using KernelThreads? threads = KernelThreads.Limit(_plan.Threads, _plan.Workers);
        double padding = Accumulate(TakeShare(batch), RankSeed(dropoutSeed), cancellationToken);
        BatchLoss loss = _gradient.DivideGradient(_ranks.Group);
        StepOutcome outcome = loss.TargetCount == 0 ? StepOutcome.NoTargets : loss.IsFinite ? StepOutcome.Applied : StepOutcome.NonFinite;
        if (outcome == StepOutcome.Applied)
        {
            GradientClipping.Clip(_ranks.Group.OwnShard(Parameters.Gradients), loss.GradientNorm, _maximumGradientNorm);
            if (!_ranks.ShardsOptimizer)
                _ranks.Group.GatherShards(Parameters.Gradients);
            Optimizer.Step(learningRate);
            outcome = HasLostWeights() ? StepOutcome.NonFinite : StepOutcome.Applied;
        }
        _gradient.Reset();
        return new StepResult(loss, outcome, padding, learningRate, Stopwatch.GetElapsedTime(start));
    }

    /// <summary>Computes the loss of the first rank's first micro-batch of a batch with the present weights, which stay as they are.</summary>
    /// <param name="batch">Examples, at least one with a target.</param>
    /// <returns>Summed over its targets, in nats.</returns>
    public double ComputeLoss(IReadOnlyList<TokenExample> batch)
    {
        using var scope = NewDisposeScope();
        using KernelThreads? threads = KernelThreads.Limit(_plan.Threads, _plan.Workers);
        double sum = 0;
        _ranks.Group.RunTogether(() =>
        {
            if (_ranks.Group.Rank == 0)
                sum = _gradient.Accumulate([_plan.Split(TakeShare(batch))[0]]).Sum;
        });
        _gradient.Reset();
        return _ranks.Group.Gather(sum)[0][0];
    }

    /// <summary>Gives the model the weights that it had before the last update.</summary>
    public void TakeBack()
    {
        Optimizer.TakeBack();
        _gradient.Reset();
    }

    /// <summary>Frees what training needs; the model keeps its trained weights, in float32 where it trained in less.</summary>
    public void Dispose()
    {
        _precision.Restore(Parameters);
        _precision.Dispose();
        Optimizer.Dispose();
        _gradient.Dispose();
    }

    // Only a huge step leaves what float32 holds: such a step alone is looked at, and taken back.
    private bool HasLostWeights()
    {
        if (!Optimizer.HasKeptWeights || FiniteWeights.CountNonFinite(Parameters.Values) == 0)
            return false;
        Optimizer.TakeBack();
        return true;
    }

    // Sums up the gradient of this rank's rows. Ranks wait for one another here and nowhere inside: each may have to begin again, or have no row at all.
    private double Accumulate(IReadOnlyList<TokenExample> own, long dropoutSeed, CancellationToken cancellationToken)
    {
        SplitPlan first = _plan;
        if (_gradient.CountsRoutingFirst)
        {
            RunWithinMemory(own, cancellationToken, microBatches => _gradient.CountRouting(microBatches, _plan.Workers, dropoutSeed, cancellationToken));
            _gradient.ShareRouting(_ranks.Group);
        }
        double padding = 0;
        RunWithinMemory(own, cancellationToken, microBatches =>
        {
            _gradient.Add(microBatches, _plan.Workers, dropoutSeed, cancellationToken);
            padding = _plan.Pack ? 0 : MicroBatchPlanner.PaddingShare(microBatches);
        });
        if (_ranks.Group.Size > 1)
        {
            double[][] plans = _ranks.Group.Gather(_plan.Tokens, _plan.Workers);
            TakePlan(plans.Min(plan => plan[0]), plans.Min(plan => plan[1]));
        }
        if (_plan != first && _ranks.Group.Rank == 0)
            OnOutOfMemory?.Invoke(first, _plan);
        return padding;
    }

    // When memory runs out, the rows start again with less of it: any split gives the same gradient, so nothing is lost but time.
    private void RunWithinMemory(IReadOnlyList<TokenExample> own, CancellationToken cancellationToken, Action<IReadOnlyList<IReadOnlyList<TokenExample>>> compute) => _ranks.Group.RunTogether(() =>
    {
        cancellationToken.ThrowIfCancellationRequested();
        while (true)
        {
            SplitPlan? reduced = null;
            try
            {
                compute(_plan.Split(own));
                return;
            }
            catch (Exception exception) when (OutOfMemory.Caused(exception) && (reduced = _plan.Reduce(own)) is not null)
            {
                _plan = reduced!.Value;
                _gradient.Reset();
                _gradient.Shrink(_plan.Workers);
            }
        }
    });

    // Dealt as to workers: nearly as many tokens to each rank, the longest row to the first.
    private IReadOnlyList<TokenExample> TakeShare(IReadOnlyList<TokenExample> batch) => _ranks.Group.Size == 1 ? batch
        : MicroBatchPlanner.Level(batch.Where(e => e.HasTargets).OrderByDescending(e => e.Length), _ranks.Group.Size, e => e.Length)[_ranks.Group.Rank];

    // The random numbers of ranks differ, as those of micro-batches do.
    private long RankSeed(long dropoutSeed) =>
        _ranks.Group.Rank == 0 ? dropoutSeed : (long)(SplitMix64.Mix(unchecked((ulong)dropoutSeed + (uint)_ranks.Group.Rank)) >> 1);

    private void TakePlan(double tokens, double workers) => _plan = _plan with { Tokens = (int)tokens, Workers = (int)workers };

    private static void RequireWorkers(int? workers, CausalLanguageModel model, bool onCpu)
    {
        if (!(workers > 1) || (onCpu && model.CanReplicate))
            return;
        string reason = onCpu ? $"for a {model.GetType().Name}, which cannot be replicated" : $"on {model.Device}: workers are threads of the CPU";
        const string Name = $"{nameof(TrainingOptions.Batching)}.{nameof(BatchingOptions.Workers)}";
        throw new ArgumentOutOfRangeException(Name, workers, string.Create(CultureInfo.InvariantCulture, $"{Name} is {workers}, but must be 1 {reason}."));
    }
}
