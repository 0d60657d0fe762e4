using System.Globalization;
using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Optimization;
using MLNetExtension.Training.Reports;
using MLNetExtension.Training.Resume;
using MLNetExtension.Training.Splitting;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Training;

/// <summary>One optimizer step: accumulate the batch's gradient, divided once; clip; step; zero.</summary>
internal sealed class TrainingStep : IDisposable
{
    private readonly TrainingOptions _options;
    private readonly PrecisionScope _precision;
    private readonly ParallelGradient _gradient;
    private readonly AdamW _optimizer;
    private readonly IReadOnlyList<int> _workersToTry;
    private SplitPlan _plan;
    private bool _calibrate;

    /// <summary>Makes a step over a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="options">How it is trained.</param>
    /// <param name="calibrate">Whether the training is long enough to seek the fastest budget, where none is given.</param>
    public TrainingStep(CausalLanguageModel model, TrainingOptions options, bool calibrate)
    {
        _options = options;
        bool onCpu = model.Device.type == DeviceType.CPU, pack = options.Batching.PackRows ?? onCpu;
        if (options.Batching.Workers > 1 && !(onCpu && model.CanReplicate))
        {
            throw new ArgumentOutOfRangeException("Batching.Workers", options.Batching.Workers, string.Create(CultureInfo.InvariantCulture, $"Batching.Workers is {options.Batching.Workers}, but must be 1 ")
                + (onCpu ? $"for a {model.GetType().Name}, which cannot be replicated." : $"on {model.Device}: workers are threads of the CPU."));
        }
        _precision = new PrecisionScope(model, options.Batching.Precision);
        LinearCrossEntropy loss = new(labelSmoothing: options.Loss.LabelSmoothing, zLoss: options.Loss.ZLoss);
        RouterBalance balance = new(options.Loss.RouterBalanceCoefficient, options.Loss.RouterBalanceScope);
        _gradient = new ParallelGradient(new BatchGradient(model, options.Loss.Normalization, loss, options.Batching.ActivationRecomputation, pack, balance));
        _precision.SetMasters(_gradient.Parameters);
        _optimizer = new AdamW(_gradient.Parameters, options.Optimizer.Beta1, options.Optimizer.Beta2, options.Optimizer.Epsilon, options.Optimizer.WeightDecay);
        _plan = new SplitPlan(options.Batching.MaximumTokensPerMicroBatch ?? MicroBatchTuner.DefaultTokens, options.Batching.Workers ?? 1, onCpu ? options.Batching.Threads ?? KernelThreads.Available : null, pack);
        _calibrate = calibrate && options.Batching.MaximumTokensPerMicroBatch is null;
        _workersToTry = options.Batching.Workers is { } workers ? [workers] : _plan.Threads is { } all && model.CanReplicate ? MicroBatchTuner.WorkersOf(all) : [1];
    }

    /// <summary>Goes on from where another training stood; a state that holds nothing yet changes nothing.</summary>
    /// <param name="state">Where it stood.</param>
    /// <exception cref="ArgumentException">The state is of a model of another size.</exception>
    public void Restore(TrainingState state)
    {
        if (state.Moments is not { } moments)
            return;
        if (moments.First.numel() != _gradient.Parameters.Length)
            throw new ArgumentException($"The training state is of a model with {moments.First.numel()} trained parameters; this one has {_gradient.Parameters.Length}.", nameof(state));
        _optimizer.Restore(state.Updates, moments.First, moments.Second);
    }

    /// <summary>Writes down where this training stands.</summary>
    /// <param name="state">Where to.</param>
    public void Keep(TrainingState state) => state.Keep(_optimizer.Steps, _optimizer.First, _optimizer.Second);

    /// <summary>The weights that are trained.</summary>
    public FlatParameters Parameters => _gradient.Parameters;

    /// <summary>What steps them.</summary>
    public AdamW Optimizer => _optimizer;

    /// <summary>Positions that may pass through the model together, as things stand.</summary>
    public int TokensPerMicroBatch => _plan.Tokens;

    /// <summary>How many micro-batches are computed side by side, as things stand.</summary>
    public int Workers => _plan.Workers;

    /// <summary>Learns from a batch.</summary>
    /// <param name="batch">The examples of this step.</param>
    /// <param name="learningRate">Learning rate of this step.</param>
    /// <param name="dropoutSeed">Seed of this step's dropout.</param>
    public (BatchLoss Loss, StepOutcome Outcome, double PaddingShare) Run(IReadOnlyList<TokenExample> batch, double learningRate, long dropoutSeed)
    {
        using var scope = NewDisposeScope();    // in-place calls, too, give a new handle
        if (_calibrate && batch.Any(e => e.HasTargets))
        {
            _plan = MicroBatchTuner.FastestPlan(_gradient, batch, _plan, _workersToTry, _options.Batching.MemoryLimitMiB);
            _calibrate = false;
        }
        // Of the whole step: threads that kernels have just used spin for a while, and would take a core from the next batch's workers.
        using KernelThreads? threads = KernelThreads.Of(_plan);
        (BatchLoss loss, double padding) = Accumulate(batch, dropoutSeed);
        StepOutcome outcome = loss.TargetCount == 0 ? StepOutcome.NoTargets : loss.IsFinite ? StepOutcome.Applied : StepOutcome.NonFinite;
        if (outcome == StepOutcome.Applied)
        {
            GradientClipping.Clip(_gradient.Parameters.Gradients, loss.GradientNorm, _options.Optimizer.MaximumGradientNorm);
            _optimizer.Step(learningRate);
        }
        _gradient.Reset();
        return (loss, outcome, padding);
    }

    // When memory runs out, the batch starts again with half the budget: any split gives the same gradient, so nothing is lost but time.
    private (BatchLoss Loss, double PaddingShare) Accumulate(IReadOnlyList<TokenExample> batch, long dropoutSeed)
    {
        while (true)
        {
            IReadOnlyList<IReadOnlyList<TokenExample>> microBatches = _plan.Split(batch);
            SplitPlan? smaller = null;
            try
            {
                return (_gradient.Accumulate(microBatches, _plan.Workers, dropoutSeed), _plan.Pack ? 0 : MicroBatchPlanner.PaddingShare(microBatches));
            }
            catch (Exception exception) when (OutOfMemory.IsSaidBy(exception) && (smaller = _plan.Smaller(batch)) is not null)
            {
                _plan = smaller!.Value;
                _gradient.Reset();
                _gradient.Shrink(_plan.Workers);
            }
        }
    }

    /// <summary>Frees what training needs; the model keeps its trained weights, in float32 where it trained in less.</summary>
    public void Dispose()
    {
        _precision.Restore(_gradient.Parameters);
        _precision.Dispose();
        _optimizer.Dispose();
        _gradient.Dispose();
    }
}
