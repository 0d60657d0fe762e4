using MLNetExtension.Accumulation;
using MLNetExtension.Batching;
using MLNetExtension.Losses;
using MLNetExtension.Models;
using static TorchSharp.torch;

namespace MLNetExtension.Training;

/// <summary>
/// Forward and backward of one micro-batch. The head works on detached hidden states at the targets alone; what it finds goes back through the
/// body from there, in one piece, or block by block where activations are recomputed. N targets, C width.
/// </summary>
internal sealed class MicroBatchGradient(CausalLanguageModel model, ParameterArena arena, ITokenLoss loss, bool recompute)
{
    /// <summary>Adds the scaled gradient of a micro-batch's summed loss to the arena.</summary>
    /// <param name="microBatch">At least one target.</param>
    /// <param name="scale">What the gradient is multiplied by.</param>
    /// <param name="dropoutSeed">Seed of dropout in this micro-batch.</param>
    /// <returns>The unscaled sum.</returns>
    public LossSum Backward(MicroBatch microBatch, double scale, long dropoutSeed)
    {
        SequenceLayout layout = microBatch.PackedRowLengths is { } lengths ? SequenceLayout.Packed(lengths) : SequenceLayout.Padded;
        model.ReseedEmbedding(dropoutSeed);
        Tensor embedded = model.Embed(microBatch.Ids, layout);
        return recompute ? Recomputed(microBatch, layout, embedded, scale, dropoutSeed) : Recorded(microBatch, layout, embedded, scale, dropoutSeed);
    }

    private LossSum Recorded(MicroBatch microBatch, SequenceLayout layout, Tensor embedded, double scale, long dropoutSeed)
    {
        Tensor hidden = embedded;
        for (int i = 0; i < model.Blocks.Count; i++)
            hidden = Block(i, hidden, layout, dropoutSeed);
        return Head(microBatch, hidden, scale);
    }

    // Only the inputs of blocks are kept. Each block is run a second time, from the same seed, when its gradient is due.
    private LossSum Recomputed(MicroBatch microBatch, SequenceLayout layout, Tensor embedded, double scale, long dropoutSeed)
    {
        List<Tensor> inputs = [embedded.detach()];
        using (no_grad())
        {
            for (int i = 0; i < model.Blocks.Count; i++)
            {
                using var block = NewDisposeScope();
                inputs.Add(Block(i, inputs[i], layout, dropoutSeed).MoveToOuterDisposeScope());
            }
        }

        Tensor last = inputs[^1].requires_grad_();
        LossSum sum = Head(microBatch, last, scale);
        for (int i = model.Blocks.Count - 1; i >= 0; i--)
        {
            using var block = NewDisposeScope();
            Tensor input = inputs[i].requires_grad_();
            Block(i, input, layout, dropoutSeed).backward([inputs[i + 1].grad!]);
            inputs[i + 1].Dispose();
        }
        embedded.backward([inputs[0].grad!]);
        return sum;
    }

    private Tensor Block(int i, Tensor input, SequenceLayout layout, long dropoutSeed)
    {
        model.Blocks[i].Reseed(unchecked(dropoutSeed + (i + 1) * 0x5851F42D4C957F2D));
        return model.Blocks[i].call(input, layout);
    }

    private LossSum Head(MicroBatch microBatch, Tensor hidden, double scale)
    {
        Tensor positions = hidden.flatten(0, 1);                                                                          // [B*T,C]
        bool everyPosition = microBatch.TargetCount == positions.shape[0];
        Tensor states = model.Normalize(everyPosition ? positions : positions.index_select(0, microBatch.TargetPositions));   // [N,C]
        Tensor detached = states.detach();
        Tensor gradient = zeros_like(detached);
        LossSum sum = loss.Backward(
            new TokenTargets(detached, model.HeadWeight, microBatch.Targets, microBatch.TargetWeights, microBatch.TargetWeight),
            new TokenGradients(gradient, arena.GradientOf(model.HeadWeight), scale));
        states.backward([gradient]);
        return sum;
    }
}
