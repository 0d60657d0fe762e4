using MLNetExtension.Accumulation;
using MLNetExtension.Batching;
using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models;
using static TorchSharp.torch;

namespace MLNetExtension.Training;

/// <summary>
/// The gradient of a window, cut in any way, in the arena of its model: backward of the sum for every micro-batch, then one division.
/// N targets, C width.
/// </summary>
internal sealed class WindowGradient : IDisposable
{
    private readonly CausalLanguageModel _model;
    private readonly GradientAccumulator _accumulator;
    private readonly LinearCrossEntropy _loss = new();

    public WindowGradient(CausalLanguageModel model, LossNormalization normalization)
    {
        _model = model;
        Arena = new ParameterArena(model.named_parameters());
        _accumulator = new GradientAccumulator(Arena, normalization);
    }

    /// <summary>The model's parameters and their gradients.</summary>
    public ParameterArena Arena { get; }

    /// <summary>Accumulates the gradient of a window into the arena, which must be zero before.</summary>
    /// <param name="cut">The window's examples in micro-batches; a micro-batch without a target is passed over.</param>
    /// <param name="dropoutSeed">Seed of dropout.</param>
    public WindowLoss Accumulate(IReadOnlyList<IReadOnlyList<TokenExample>> cut, long dropoutSeed = 0)
    {
        _model.Reseed(dropoutSeed);
        foreach (IReadOnlyList<TokenExample> examples in cut)
        {
            using var scope = NewDisposeScope();
            using var microBatch = MicroBatch.Collate(examples, Arena.Values.device);
            if (microBatch.TargetCount > 0)
                _accumulator.Add(Backward(microBatch));
        }
        return _accumulator.Finish();
    }

    /// <summary>Makes ready for the next window.</summary>
    public void Reset() => _accumulator.Reset();

    // The head works on detached hidden states at the targets alone; what it finds goes back through the body from there.
    private LossSum Backward(MicroBatch microBatch)
    {
        Tensor hidden = _model.Hidden(microBatch.Ids).flatten(0, 1).index_select(0, microBatch.TargetPositions);    // [N,C]
        Tensor detached = hidden.detach();
        Tensor hiddenGradient = zeros_like(detached);
        LossSum loss = _loss.Backward(
            detached, _model.HeadWeight, microBatch.Targets, _accumulator.Scale(microBatch.TargetCount), hiddenGradient, Arena.GradientOf(_model.HeadWeight));
        hidden.backward([hiddenGradient]);
        return loss;
    }

    public void Dispose()
    {
        _accumulator.Dispose();
        Arena.Dispose();
    }
}
