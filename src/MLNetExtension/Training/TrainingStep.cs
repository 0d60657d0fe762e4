using System.Diagnostics;
using MLNetExtension.Data;
using MLNetExtension.Models;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Optimization;
using MLNetExtension.Training.Preference;
using MLNetExtension.Training.Ranks;
using MLNetExtension.Training.Reports;
using MLNetExtension.Training.Splitting;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Training;

/// <summary>One optimizer step: accumulate the gradient of the batch, divided once; clip; step; zero.</summary>
internal sealed class TrainingStep : IDisposable
{
    private readonly PrecisionScope _precision;
    private readonly BatchGradient _gradient;
    private readonly double _maximumGradientNorm;
    private readonly RankSetup _ranks;
    private readonly MemoryWatch _memory;
    private readonly MicroBatchTuner? _tuner;    // null where every step has the same plan
    private SplitPlan _plan;
    private int _reductions;    // how often memory has run out

    /// <summary>Makes a step over a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="options">How it is trained.</param>
    /// <param name="tune">Whether the training is long enough to try several splits, where none is given.</param>
    /// <param name="plan">How each parameter is updated. Default: all alike, and those of two and more dimensions decay.</param>
    /// <param name="ranks">The ranks that take the step together. Default: this process alone.</param>
    /// <exception cref="ArgumentOutOfRangeException">Several workers are asked for, and the device or the model allows one.</exception>
    /// <exception cref="NotSupportedException">Noise on embedded tokens is asked for, and the model embeds them itself.</exception>
    public TrainingStep(CausalLanguageModel model, TrainingOptions options, bool tune, ParameterPlan? plan = null, RankSetup? ranks = null)
    {
        _ranks = (ranks ?? RankSetup.Alone).For(options.Optimizer);
        bool onCpu = model.Device.type == DeviceType.CPU, pack = options.Batching.PackRows ?? onCpu;
        StepRequirements.Check(model, options);
        _memory = new MemoryWatch(model.Device, options.Batching.MemoryLimitMiB);
        _maximumGradientNorm = options.Optimizer.MaximumGradientNorm;
        _precision = new PrecisionScope(model, options.Batching.Precision);
        _gradient = new BatchGradient(model, new GradientSettings
        {
            Normalization = options.Loss.Normalization,
            Loss = options.Distillation?.CreateLoss() ?? options.Loss.CreateLoss(),
            Teacher = options.Distillation?.Teacher,
            PromptWeight = options.Loss.PromptWeight,
            Decays = plan is null ? null : plan.Decays,
            Recompute = options.Batching.ActivationRecomputation,
            Pack = pack,
            BalanceCoefficient = options.Loss.RouterBalanceCoefficient ?? model.RouterBalanceCoefficient,
            BalanceScope = options.Loss.RouterBalanceScope,
            EmbeddingNoise = options.Regularization.EmbeddingNoise,
            Rank = _ranks.Group.Rank,
        });
        _precision.CopyMastersTo(Parameters);
        Optimizer = new FlatOptimizer(Parameters, options.Optimizer, _ranks.OptimizerGroup, plan);

        int? threads = onCpu ? Math.Min(options.Batching.Threads ?? _ranks.Group.Threads, Environment.ProcessorCount) : null;
        int? fixedTokens = options.Batching.MaximumTokensPerMicroBatch, fixedWorkers = options.Batching.Workers;
        _plan = new SplitPlan(fixedTokens ?? MicroBatchTuner.TokensWithoutTrials(onCpu), fixedWorkers ?? 1, threads, pack);
        if (tune && fixedTokens is null && !options.Loss.DependsOnSplit)
            _tuner = new MicroBatchTuner(_plan, fixedWorkers ?? CountWorkersToTry(model.CanReplicate ? threads : 1), SizeOfBuffer);
    }

    /// <summary>Called when a batch did not fit into memory, with the plan that it began with and the one by which it was computed.</summary>
    public Action<SplitPlan, SplitPlan>? OnOutOfMemory { get; init; }

    /// <summary>Called, on the first rank, when trials have ended and the plan of the next steps is chosen.</summary>
    public Action<SplitPlan, SplitChoice?>? OnSplitChosen { get; init; }

    /// <summary>Called before the weights of an update change, when a finite loss has been computed with them.</summary>
    public Action? BeforeUpdate { get; init; }

    /// <summary>What is minimized where batches hold pairs. Default: the cross entropy of each example.</summary>
    public PreferenceObjective? Preference { get; init; }

    /// <summary>The weights that are trained, and their gradients.</summary>
    public FlatParameters Parameters => _gradient.Parameters;

    /// <summary>The optimizer.</summary>
    public FlatOptimizer Optimizer { get; }

    /// <summary>Whether steps try splits, or will.</summary>
    public bool IsSearching => _tuner?.IsSearching == true;

    /// <summary>The plan of the last step, or of the first.</summary>
    public SplitPlan Plan => _plan;

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
    /// <param name="dropoutSeed">Seed of this step's dropout and noise, the same on every rank.</param>
    /// <param name="cancellationToken">Gives the step up before the next micro-batch; no weight has changed then.</param>
    /// <exception cref="OperationCanceledException">The token asked for it.</exception>
    public StepResult Run(IReadOnlyList<TokenExample> batch, double learningRate, long dropoutSeed, CancellationToken cancellationToken = default)
    {
        long start = Stopwatch.GetTimestamp();
        using var scope = NewDisposeScope();    // in-place calls, too, give a new handle
        batch = Preference is null ? batch : PreferenceObjective.WholePairs(batch);
        SplitPlan plan = ChoosePlan(batch);
        // Of the whole step: threads that kernels have just used spin for a while, and would take a core from the next batch's workers.
        using KernelThreads? threads = KernelThreads.Limit(_plan.Threads, _plan.Workers);
        (double padding, PreferenceSums? preference) = Preference is null
            ? (Accumulate(TakeShare(batch), dropoutSeed, cancellationToken), null)
            : AccumulatePairs(batch, dropoutSeed, cancellationToken);
        BatchLoss loss = _gradient.DivideGradient(_ranks.Group);
        if (preference is { } sums)
            loss = loss with { Sum = sums.Loss, Objective = sums.Loss / sums.Pairs, CorrectCount = sums.Correct };
        StepOutcome outcome = loss.TargetCount == 0 ? StepOutcome.NoTargets : loss.IsFinite ? StepOutcome.Applied : StepOutcome.NonFinite;
        if (outcome == StepOutcome.Applied)
        {
            BeforeUpdate?.Invoke();
            GradientClipping.Clip(_ranks.Group.OwnShard(Parameters.Gradients), loss.GradientNorm, _maximumGradientNorm);
            if (!_ranks.ShardsOptimizer)
                _ranks.Group.GatherShards(Parameters.Gradients);
            Optimizer.Step(learningRate);
            outcome = HasLostWeights() ? StepOutcome.NonFinite : StepOutcome.Applied;
        }
        _gradient.Reset();
        TimeSpan duration = Stopwatch.GetElapsedTime(start);
        if (_plan == plan && outcome == StepOutcome.Applied)
            RecordCost(batch, duration);
        return new StepResult(loss, outcome, padding, learningRate, duration) { Preference = preference };
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
        _memory.Dispose();
    }

    // A step that leaves what float32 holds is huge, or of a rule whose steps may have any size: those keep the weights before them, so they alone are looked at, and taken back.
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
        if (_plan != first)
        {
            _tuner?.Reduce(_plan);
            if (_ranks.Group.Rank == 0)
                OnOutOfMemory?.Invoke(first, _plan);
        }
        return padding;
    }

    // Two passes over this rank's rows, see PreferenceObjective. Where memory runs out in the second, micro-batches, and with them dropout, are no longer those of the first: then both begin again, on all ranks.
    private (double Padding, PreferenceSums? Sums) AccumulatePairs(IReadOnlyList<TokenExample> batch, long dropoutSeed, CancellationToken cancellationToken)
    {
        (IReadOnlyList<TokenExample> trained, IReadOnlyList<TokenExample> others) = Preference!.Part(batch);
        IReadOnlyList<TokenExample> own = TakeShare(trained);
        while (true)
        {
            FirstPass first = new(batch);
            foreach (IReadOnlyList<TokenExample> rows in new[] { TakeShare(others), own })    // last what the second pass takes
                RunWithinMemory(rows, cancellationToken, microBatches => first.Set(microBatches, _gradient.ComputeLogProbabilities(microBatches, _plan.Workers, dropoutSeed, cancellationToken)));
            first.Share(_ranks.Group);
            PreferenceStep step = Preference.Weigh(first);
            int before = _reductions;
            double padding = Accumulate(step.Apply(own), dropoutSeed, cancellationToken);
            if (_ranks.Group.SumNumbers(_reductions - before)[0] == 0)
                return (padding, batch.Count == 0 ? null : step.Sums);
            _gradient.Reset();
        }
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
                _reductions++;
                _gradient.Reset();
                _gradient.Shrink(_plan.Workers);
            }
        }
    });

    // Dealt as to workers: nearly as many tokens to each rank, the longest row to the first.
    private IReadOnlyList<TokenExample> TakeShare(IReadOnlyList<TokenExample> batch) => _ranks.Group.Size == 1 ? batch
        : MicroBatchPlanner.Level(batch.Where(e => e.HasTargets).OrderByDescending(e => e.Length), _ranks.Group.Size, e => e.Length)[_ranks.Group.Rank];

    // By the whole batch, so that all ranks choose the same.
    private SplitPlan ChoosePlan(IReadOnlyList<TokenExample> batch)
    {
        if (_tuner is null || !batch.Any(e => e.HasTargets))
            return _plan;
        (long whole, int longest) = _plan.CountPositions(batch);
        _plan = _tuner.ChoosePlan((whole / _ranks.Group.Size, longest));
        if (_tuner.IsSearching)
            _memory.Start();
        else
            _gradient.Shrink(_plan.Workers);
        return _plan;
    }

    private void RecordCost(IReadOnlyList<TokenExample> batch, TimeSpan duration)
    {
        if (_tuner is null)
            return;
        (double footprint, double limit) = _memory.Stop();
        double[][] costs = _ranks.Group.Gather(duration.TotalSeconds, footprint, limit);
        long positions = batch.Where(e => e.HasTargets).Sum(e => (long)e.Length);
        SplitChoice? before = _tuner.Choice;
        _tuner.Record(new StepCost(positions, costs.Max(cost => cost[0]), costs.Max(cost => cost[1]), costs.Min(cost => cost[2])));
        if (_tuner.Choice is { } choice && choice.Chosen.Plan != before?.Chosen.Plan && _ranks.Group.Rank == 0)
            OnSplitChosen?.Invoke(choice.Chosen.Plan, choice);
    }

    // More workers are worth a try while their gradient buffers are small: the kernels of larger models are long enough to be shared, so there is nothing to gain
    // (GPT-2 124M on two cores: 253 tokens a second by two workers, 251 by one). Ranks try the same.
    private int CountWorkersToTry(int? threads)
    {
        const double LargestBuffersMiB = 256;
        double workers = Math.Clamp(1 + Math.Floor(LargestBuffersMiB / SizeOfBuffer), 1, threads ?? 1);
        return (int)_ranks.Group.Gather(workers).Min(own => own[0]);
    }

    private double SizeOfBuffer => Parameters.Length * Parameters.Gradients.element_size() / (double)(1 << 20);

    private void TakePlan(double tokens, double workers) => _plan = _plan with { Tokens = (int)tokens, Workers = (int)workers };
}
