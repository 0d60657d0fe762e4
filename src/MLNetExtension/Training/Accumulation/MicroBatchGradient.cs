using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Accumulation;

/// <summary>
/// Forward and backward pass of one micro-batch. The head works on detached hidden states at the targets alone; their gradient then goes back through the
/// body, in one piece, or block by block where activations are recomputed. Routers add their balance loss on the way.
/// B rows, T positions, N targets, C width, V vocabulary.
/// </summary>
internal sealed class MicroBatchGradient(CausalLanguageModel model, FlatParameters parameters, GradientSettings settings, RouterBalance balance)
{
    /// <summary>Adds the scaled gradient of a micro-batch's summed loss to <see cref="FlatParameters.Gradients"/>.</summary>
    /// <param name="microBatch">At least one target.</param>
    /// <param name="scale">What the gradient is multiplied by.</param>
    /// <param name="dropoutSeed">Seed of dropout in this micro-batch.</param>
    /// <returns>The unscaled sums: of the targets' loss, and of the routers' balance loss, null where there is none.</returns>
    public (LossSum Loss, Tensor? Auxiliary) Backward(MicroBatch microBatch, double scale, long dropoutSeed)
    {
        Pass pass = new(microBatch, LayoutOf(microBatch), scale, dropoutSeed);
        // A model without a head of its own gives logits, which go straight into the loss.
        if (model.HeadWeight is null)
        {
            model.ReseedDropout(dropoutSeed);
            return (BackwardHead(pass, pass.Layout.ApplyPerRow(microBatch.Ids, model.ComputeHidden), null), null);
        }
        return settings.Recompute ? BackwardRecomputed(pass) : BackwardRecorded(pass);
    }

    /// <summary>Runs the body without a gradient and counts what its routers decide.</summary>
    /// <param name="microBatch">The micro-batch.</param>
    /// <param name="dropoutSeed">Seed of dropout in this micro-batch, as it will be in the backward pass.</param>
    public void CountRouting(MicroBatch microBatch, long dropoutSeed)
    {
        using var _ = no_grad();
        Pass pass = new(microBatch, LayoutOf(microBatch), 1, dropoutSeed);
        Tensor hidden = AddPositionsAndDropout(pass, EmbedTokens(pass));
        for (int i = 0; i < model.Blocks.Count; i++)
            hidden = RunBlock(i, hidden, pass);
        balance.Count(model.Blocks, microBatch);
    }

    private (LossSum, Tensor?) BackwardRecorded(Pass pass)
    {
        Tensor tokens = EmbedTokens(pass);
        Tensor hidden = AddPositionsAndDropout(pass, tokens);
        Tensor? auxiliary = null;
        for (int i = 0; i < model.Blocks.Count; i++)
        {
            hidden = RunBlock(i, hidden, pass);
            auxiliary = Add(auxiliary, balance.ComputeSum(i, model.Blocks[i].Routing, pass.MicroBatch));
        }
        LossSum sum = BackwardHead(pass, hidden, auxiliary);
        AddTokenGradient(pass, tokens);
        return (sum, auxiliary?.detach());
    }

    // Only the inputs of blocks are kept. Each block is run a second time, from the same seed, when its gradient is due.
    private (LossSum, Tensor?) BackwardRecomputed(Pass pass)
    {
        Tensor tokens = EmbedTokens(pass);
        Tensor embedded = AddPositionsAndDropout(pass, tokens);
        List<Tensor> inputs = [embedded.detach()];
        using (no_grad())
        {
            for (int i = 0; i < model.Blocks.Count; i++)
            {
                using var block = NewDisposeScope();
                inputs.Add(RunBlock(i, inputs[i], pass).MoveToOuterDisposeScope());
            }
        }

        Tensor? auxiliary = null;
        LossSum sum = BackwardHead(pass, inputs[^1].requires_grad_(), null);
        for (int i = model.Blocks.Count - 1; i >= 0; i--)
        {
            using var block = NewDisposeScope();
            Tensor output = RunBlock(i, inputs[i].requires_grad_(), pass);
            Tensor? blockBalance = balance.ComputeSum(i, model.Blocks[i].Routing, pass.MicroBatch);
            Backward(output, inputs[i + 1].grad!, blockBalance, pass.Scale);
            auxiliary = Add(auxiliary, blockBalance?.detach())?.MoveToOuterDisposeScope();
            inputs[i + 1].Dispose();
        }
        if (embedded.requires_grad)
            embedded.backward([inputs[0].grad!]);
        AddTokenGradient(pass, tokens);
        return (sum, auxiliary);
    }

    private LossSum BackwardHead(Pass pass, Tensor hidden, Tensor? auxiliary)
    {
        MicroBatch microBatch = pass.MicroBatch;
        Tensor positions = hidden.flatten(0, 1);                                                                          // [B*T,C]
        bool everyPosition = microBatch.TargetCount == positions.shape[0];
        Tensor states = model.Normalize(everyPosition ? positions : positions.index_select(0, microBatch.TargetPositions));   // [N,C]
        Tensor detached = states.detach();
        Tensor gradient = zeros_like(detached);
        Tensor? headGradient = model.HeadWeight is { } head && parameters.Trains(head) ? parameters.GradientOf(head) : null;
        LossSum sum = settings.Loss.Backward(
            new TokenTargets(detached, model.HeadWeight, microBatch.Targets, microBatch.TargetWeights, microBatch.TargetWeight),
            new TokenGradients(gradient, headGradient, pass.Scale));
        Backward(states, gradient, auxiliary, pass.Scale);
        return sum;
    }

    // A balance loss shares the graph of the states: both go back in one pass, as a sum whose gradient by the states is the one given.
    private static void Backward(Tensor states, Tensor gradient, Tensor? auxiliary, double scale)
    {
        if (auxiliary is null)
            states.backward([gradient]);
        else
            ((states * gradient).to(float64).sum() + auxiliary * scale).backward();
    }

    // [B,T,C], a leaf of the graph: autograd would make a whole [V,C] for every micro-batch, AddTokenGradient adds to the rows that occur.
    private Tensor EmbedTokens(Pass pass)
    {
        Tensor ids = pass.MicroBatch.Ids, embedding = model.TokenEmbedding;
        Tensor tokens = embedding.detach().index_select(0, ids.flatten()).view(ids.shape[0], ids.shape[1], -1);
        return parameters.Trains(embedding) ? tokens.requires_grad_() : tokens;
    }

    private void AddTokenGradient(Pass pass, Tensor tokens)
    {
        if (!tokens.requires_grad)
            return;
        Tensor sum = parameters.GradientOf(model.TokenEmbedding);
        sum.index_add_(0, pass.MicroBatch.Ids.flatten(), tokens.grad!.flatten(0, 1).to(sum.dtype), 1);
    }

    private Tensor AddPositionsAndDropout(Pass pass, Tensor tokens)
    {
        model.ReseedDropout(pass.DropoutSeed);
        return model.AddPositions(tokens, pass.Layout);
    }

    private Tensor RunBlock(int i, Tensor input, Pass pass)
    {
        model.Blocks[i].ReseedDropout(unchecked(pass.DropoutSeed + (i + 1) * 0x5851F42D4C957F2D));
        return model.Blocks[i].call(input, pass.Layout);
    }

    private static SequenceLayout LayoutOf(MicroBatch microBatch) =>
        microBatch.IsPacked ? SequenceLayout.Packed(microBatch.RowLengths) : SequenceLayout.Padded(microBatch.RowLengths);

    private static Tensor? Add(Tensor? sum, Tensor? next) => sum is null ? next : next is null ? sum : sum + next;

    private sealed record Pass(MicroBatch MicroBatch, SequenceLayout Layout, double Scale, long DropoutSeed);
}
