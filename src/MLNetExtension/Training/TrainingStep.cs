using MLNetExtension.Accumulation;
using MLNetExtension.Batching;
using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models;
using MLNetExtension.Optimization;
using static TorchSharp.torch;

namespace MLNetExtension.Training;

/// <summary>One optimizer step: accumulate the window's gradient, divided once; clip; step; zero.</summary>
internal sealed class TrainingStep : IDisposable
{
    private readonly TrainingOptions _options;
    private readonly PrecisionScope _precision;
    private readonly WindowGradient _gradient;
    private readonly AdamW _optimizer;
    private readonly TokenBudget _budget;
    private bool _calibrate;

    /// <summary>Makes a step over a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="options">How it is trained.</param>
    /// <param name="calibrate">Whether the training is long enough to seek the fastest budget, where none is given.</param>
    public TrainingStep(CausalLanguageModel model, TrainingOptions options, bool calibrate)
    {
        _options = options;
        _precision = new PrecisionScope(model, options.ComputePrecision);
        LinearCrossEntropy loss = new(labelSmoothing: options.LabelSmoothing, zLoss: options.ZLoss);
        RouterBalance balance = new(options.RouterBalanceCoefficient, options.RouterBalanceScope);
        _gradient = new WindowGradient(model, options.LossNormalization, loss, options.ActivationRecomputation, options.PackRows, balance);
        _precision.SetMasters(_gradient.Arena);
        _optimizer = new AdamW(_gradient.Arena, options.Beta1, options.Beta2, options.Epsilon, options.WeightDecay);
        _budget = new TokenBudget(options.MaximumTokensPerMicroBatch ?? TokenBudgetCalibration.Default);
        _calibrate = calibrate && options.MaximumTokensPerMicroBatch is null;
    }

    /// <summary>Goes on from where another training stood; a state that holds nothing yet changes nothing.</summary>
    /// <param name="state">Where it stood.</param>
    /// <exception cref="ArgumentException">The state is of a model of another size.</exception>
    public void Restore(TrainingState state)
    {
        if (state.Moments is not { } moments)
            return;
        if (moments.First.numel() != _gradient.Arena.Length)
            throw new ArgumentException($"The training state is of a model with {moments.First.numel()} trained parameters; this one has {_gradient.Arena.Length}.", nameof(state));
        _optimizer.Restore(state.Updates, moments.First, moments.Second);
    }

    /// <summary>Writes down where this training stands.</summary>
    /// <param name="state">Where to.</param>
    public void Keep(TrainingState state) => state.Keep(_optimizer.Steps, _optimizer.First, _optimizer.Second);

    /// <summary>Positions that may pass through the model together, as things stand.</summary>
    public int TokensPerMicroBatch => _budget.Tokens;

    /// <summary>Learns from a window.</summary>
    /// <param name="window">The examples of this step.</param>
    /// <param name="learningRate">Learning rate of this step.</param>
    /// <param name="dropoutSeed">Seed of this step's dropout.</param>
    public (WindowLoss Loss, StepOutcome Outcome, double PaddingShare) Run(IReadOnlyList<TokenExample> window, double learningRate, long dropoutSeed)
    {
        using var scope = NewDisposeScope();    // in-place calls, too, give a new handle
        (WindowLoss loss, double padding) = Accumulate(window, dropoutSeed);
        StepOutcome outcome = loss.TargetCount == 0 ? StepOutcome.NoTargets : loss.IsFinite ? StepOutcome.Applied : StepOutcome.NonFinite;
        if (outcome == StepOutcome.Applied)
        {
            GradientClipping.Clip(_gradient.Arena.Gradients, loss.GradientNorm, _options.MaximumGradientNorm);
            _optimizer.Step(learningRate);
        }
        _gradient.Reset();
        return (loss, outcome, padding);
    }

    // When memory runs out, the window starts again with half the budget: any cut gives the same gradient, so nothing is lost but time.
    private (WindowLoss Loss, double PaddingShare) Accumulate(IReadOnlyList<TokenExample> window, long dropoutSeed)
    {
        if (_calibrate && window.Any(e => e.HasTargets))
        {
            _budget.Set(TokenBudgetCalibration.FastestBudget(_gradient, window, _options.MemoryLimitMiB));
            _calibrate = false;
        }
        while (true)
        {
            IReadOnlyList<IReadOnlyList<TokenExample>> cut = MicroBatchPlanner.Cut(window, _budget.Tokens);
            try
            {
                return (_gradient.Accumulate(cut, dropoutSeed), _options.PackRows ? 0 : MicroBatchPlanner.PaddingShare(cut));
            }
            catch (Exception exception) when (TokenBudget.IsOutOfMemory(exception) && _budget.TryHalve(window))
            {
                _gradient.Reset();
            }
        }
    }

    /// <summary>Frees what training needs; the model keeps its trained weights, in float32 where it trained in less.</summary>
    public void Dispose()
    {
        _precision.Restore(_gradient.Arena);
        _precision.Dispose();
        _optimizer.Dispose();
        _gradient.Dispose();
    }
}
