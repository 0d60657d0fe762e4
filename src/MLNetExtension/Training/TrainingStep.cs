using MLNetExtension.Accumulation;
using MLNetExtension.Batching;
using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models;
using MLNetExtension.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Training;

/// <summary>
/// One optimizer step: backward of the sum for every micro-batch, divide once, clip, step, zero. N targets, C width.
/// </summary>
internal sealed class TrainingStep : IDisposable
{
    private readonly CausalLanguageModel _model;
    private readonly TrainingOptions _options;
    private readonly ParameterArena _arena;
    private readonly GradientAccumulator _accumulator;
    private readonly AdamW _optimizer;
    private readonly LinearCrossEntropy _loss = new();

    public TrainingStep(CausalLanguageModel model, TrainingOptions options)
    {
        _model = model;
        _options = options;
        _arena = new ParameterArena(model.named_parameters());
        _accumulator = new GradientAccumulator(_arena, options.LossNormalization);
        _optimizer = new AdamW(_arena, options.Beta1, options.Beta2, options.Epsilon, options.WeightDecay);
    }

    /// <summary>Learns from a window.</summary>
    /// <param name="window">The examples of this step.</param>
    /// <param name="learningRate">Learning rate of this step.</param>
    /// <param name="dropoutSeed">Seed of this step's dropout.</param>
    public (WindowLoss Loss, StepOutcome Outcome, double PaddingShare) Run(IReadOnlyList<TokenExample> window, double learningRate, long dropoutSeed)
    {
        IReadOnlyList<IReadOnlyList<TokenExample>> cut = MicroBatchPlanner.Cut(window, _options.MaximumTokensPerMicroBatch);
        _model.Reseed(dropoutSeed);
        foreach (IReadOnlyList<TokenExample> examples in cut)
        {
            using var scope = NewDisposeScope();
            using var microBatch = MicroBatch.Collate(examples, _arena.Values.device);
            _accumulator.Add(Backward(microBatch));
        }

        WindowLoss loss = _accumulator.Finish();
        StepOutcome outcome = loss.TargetCount == 0 ? StepOutcome.NoTargets : loss.IsFinite ? StepOutcome.Applied : StepOutcome.NonFinite;
        if (outcome == StepOutcome.Applied)
        {
            GradientClipping.Clip(_arena.Gradients, loss.GradientNorm, _options.MaximumGradientNorm);
            _optimizer.Step(learningRate);
        }
        _accumulator.Reset();
        return (loss, outcome, MicroBatchPlanner.PaddingShare(cut));
    }

    // The head works on detached hidden states at the targets alone; what it finds goes back through the body from there.
    private LossSum Backward(MicroBatch microBatch)
    {
        Tensor hidden = _model.Hidden(microBatch.Ids).flatten(0, 1).index_select(0, microBatch.TargetPositions);    // [N,C]
        Tensor detached = hidden.detach();
        Tensor hiddenGradient = zeros_like(detached);
        LossSum loss = _loss.Backward(
            detached, _model.HeadWeight, microBatch.Targets, _accumulator.Scale(microBatch.TargetCount), hiddenGradient, _arena.GradientOf(_model.HeadWeight));
        hidden.backward([hiddenGradient]);
        return loss;
    }

    public void Dispose()
    {
        _optimizer.Dispose();
        _accumulator.Dispose();
        _arena.Dispose();
    }
}
