using MLNetExtension.Accumulation;
using MLNetExtension.Batching;
using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models;
using static TorchSharp.torch;

namespace MLNetExtension.Training;

/// <summary>The gradient of a window, cut in any way, in the arena of its model: backward of the sum for every micro-batch, then one division.</summary>
internal sealed class WindowGradient : IDisposable
{
    private readonly GradientAccumulator _accumulator;
    private readonly RouterBalance _balance;
    private readonly MicroBatchGradient _microBatchGradient;
    private readonly bool _countsRoutingFirst, _pack;

    public WindowGradient(
        CausalLanguageModel model, LossNormalization normalization, ITokenLoss? loss = null, bool recompute = false, bool pack = false, RouterBalance? balance = null)
    {
        Arena = new ParameterArena(model.named_parameters());
        _accumulator = new GradientAccumulator(Arena, normalization);
        _balance = balance ?? new RouterBalance(0, RouterBalanceScope.MicroBatch);
        _microBatchGradient = new MicroBatchGradient(model, Arena, loss ?? new LinearCrossEntropy(), _balance, recompute);
        // A second forward pass is for shares of experts alone: a model without routers must not pay for it.
        _countsRoutingFirst = _balance.CountsFirst && model.Blocks.Any(block => block.HasRouter);
        _pack = pack;
    }

    /// <summary>The model's parameters and their gradients.</summary>
    public ParameterArena Arena { get; }

    /// <summary>Accumulates the gradient of a window into the arena, which must be zero before.</summary>
    /// <param name="cut">The window's examples in micro-batches; a micro-batch without a target is passed over.</param>
    /// <param name="dropoutSeed">Seed of dropout.</param>
    public WindowLoss Accumulate(IReadOnlyList<IReadOnlyList<TokenExample>> cut, long dropoutSeed = 0)
    {
        if (_countsRoutingFirst)
        {
            _balance.Begin();
            for (int k = 0; k < cut.Count; k++)
                Visit(cut[k], unchecked(dropoutSeed + k), _microBatchGradient.CountRouting);
        }
        for (int k = 0; k < cut.Count; k++)
            Add(cut[k], unchecked(dropoutSeed + k));
        return Finish();
    }

    /// <summary>Adds a micro-batch to the window; one without a target is passed over.</summary>
    /// <param name="examples">Its rows.</param>
    /// <param name="dropoutSeed">Seed of dropout in it.</param>
    public void Add(IReadOnlyList<TokenExample> examples, long dropoutSeed) => Visit(examples, dropoutSeed, (microBatch, seed) =>
    {
        (LossSum loss, Tensor? auxiliary) = _microBatchGradient.Backward(microBatch, _accumulator.Scale(microBatch.TargetWeight), seed);
        _accumulator.Add(loss);
        if (auxiliary is not null)
            _accumulator.AddAuxiliary(auxiliary, loss.TargetCount);
    });

    /// <summary>Adds what another rank has summed of the same window.</summary>
    /// <param name="other">The other rank.</param>
    public void Merge(WindowGradient other) => _accumulator.Merge(other._accumulator);

    /// <summary>Divides the window's gradient, once.</summary>
    public WindowLoss Finish() => _accumulator.Finish();

    /// <summary>Makes ready for the next window.</summary>
    public void Reset() => _accumulator.Reset();

    /// <summary>Frees the buffers; the model keeps its weights.</summary>
    public void Dispose()
    {
        _balance.Dispose();
        _accumulator.Dispose();
        Arena.Dispose();
    }

    private void Visit(IReadOnlyList<TokenExample> examples, long dropoutSeed, Action<MicroBatch, long> visit)
    {
        using var scope = NewDisposeScope();
        Device device = Arena.Values.device;
        using var microBatch = _pack ? MicroBatch.Pack(examples, device) : MicroBatch.Collate(examples, device);
        if (microBatch.TargetWeight > 0)
            visit(microBatch, dropoutSeed);
    }
}
