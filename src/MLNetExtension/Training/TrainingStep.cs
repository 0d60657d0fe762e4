using MLNetExtension.Accumulation;
using MLNetExtension.Batching;
using MLNetExtension.Data;
using MLNetExtension.Models;
using MLNetExtension.Optimization;
using static TorchSharp.torch;

namespace MLNetExtension.Training;

/// <summary>One optimizer step: accumulate the window's gradient, divided once; clip; step; zero.</summary>
internal sealed class TrainingStep : IDisposable
{
    private readonly TrainingOptions _options;
    private readonly WindowGradient _gradient;
    private readonly AdamW _optimizer;

    public TrainingStep(CausalLanguageModel model, TrainingOptions options)
    {
        _options = options;
        _gradient = new WindowGradient(model, options.LossNormalization);
        _optimizer = new AdamW(_gradient.Arena, options.Beta1, options.Beta2, options.Epsilon, options.WeightDecay);
    }

    /// <summary>Learns from a window.</summary>
    /// <param name="window">The examples of this step.</param>
    /// <param name="learningRate">Learning rate of this step.</param>
    /// <param name="dropoutSeed">Seed of this step's dropout.</param>
    public (WindowLoss Loss, StepOutcome Outcome, double PaddingShare) Run(IReadOnlyList<TokenExample> window, double learningRate, long dropoutSeed)
    {
        using var scope = NewDisposeScope();    // in-place calls, too, give a new handle
        IReadOnlyList<IReadOnlyList<TokenExample>> cut = MicroBatchPlanner.Cut(window, _options.MaximumTokensPerMicroBatch);
        WindowLoss loss = _gradient.Accumulate(cut, dropoutSeed);
        StepOutcome outcome = loss.TargetCount == 0 ? StepOutcome.NoTargets : loss.IsFinite ? StepOutcome.Applied : StepOutcome.NonFinite;
        if (outcome == StepOutcome.Applied)
        {
            GradientClipping.Clip(_gradient.Arena.Gradients, loss.GradientNorm, _options.MaximumGradientNorm);
            _optimizer.Step(learningRate);
        }
        _gradient.Reset();
        return (loss, outcome, MicroBatchPlanner.PaddingShare(cut));
    }

    public void Dispose()
    {
        _optimizer.Dispose();
        _gradient.Dispose();
    }
}
