using static TorchSharp.torch;

namespace MLNetExtension.Losses;

/// <summary>
/// The head and its cross entropy in chunks of targets: loss and gradient in one pass, with the [N,V] logits never whole.
/// N targets, C width, V vocabulary. For logits z = h W' and target y the loss is logsumexp(z) - z_y, and its gradient
/// by z is softmax(z) - onehot(y), so no graph is recorded and nothing is kept but one chunk.
/// </summary>
/// <param name="chunkTokens">Targets handled at a time; bounds the memory of the loss, whatever N.</param>
public sealed class LinearCrossEntropy(int chunkTokens = 1024)
{
    /// <summary>Sums the loss and adds its gradient to two buffers.</summary>
    /// <param name="hidden">Hidden states at the targets, [N,C]; detached.</param>
    /// <param name="headWeight">The head's weight, [V,C].</param>
    /// <param name="targets">Target ids, [N] int64.</param>
    /// <param name="scale">What the gradient, not the loss, is multiplied by; 1 keeps it that of the sum.</param>
    /// <param name="hiddenGradient">The gradient by <paramref name="hidden"/> is added to this, [N,C].</param>
    /// <param name="headGradient">The gradient by <paramref name="headWeight"/> is added to this, [V,C].</param>
    /// <returns>The summed loss in nats, unscaled, and N. The caller owns the tensor.</returns>
    public LossSum Backward(Tensor hidden, Tensor headWeight, Tensor targets, double scale, Tensor hiddenGradient, Tensor headGradient)
    {
        using var _ = no_grad();
        Tensor sum = zeros([], dtype: float64, device: hidden.device);
        ForEachChunk(hidden, headWeight, targets, (start, count, h, y, logProbabilities) =>
        {
            sum.add_(logProbabilities.gather(1, y).sum(float64), -1);

            Tensor logitGradient = logProbabilities.exp_();                                          // [n,V]: softmax ...
            logitGradient.scatter_add_(1, y, full_like(y, -1, dtype: logitGradient.dtype));           // ... minus one-hot
            if (scale != 1)
                logitGradient.mul_(scale);
            hiddenGradient.narrow(0, start, count).addmm_(logitGradient, headWeight);                 // [n,V] [V,C]
            headGradient.addmm_(logitGradient.t(), h);                                               // [V,n] [n,C]
        });
        return new LossSum(sum, targets.shape[0]);
    }

    /// <summary>Gives the loss of each target.</summary>
    /// <param name="hidden">Hidden states at the targets, [N,C].</param>
    /// <param name="headWeight">The head's weight, [V,C].</param>
    /// <param name="targets">Target ids, [N] int64.</param>
    /// <returns>Negative log-likelihoods in nats, [N], without a gradient.</returns>
    public Tensor PerToken(Tensor hidden, Tensor headWeight, Tensor targets)
    {
        using var _ = no_grad();
        Tensor losses = empty(targets.shape[0], dtype: hidden.dtype, device: hidden.device);
        ForEachChunk(hidden, headWeight, targets, (start, count, _, y, logProbabilities) =>
            losses.narrow(0, start, count).copy_(logProbabilities.gather(1, y).squeeze(1)).neg_());
        return losses;
    }

    // A chunk's tensors live in a scope of their own, so the next chunk reuses their memory.
    private void ForEachChunk(Tensor hidden, Tensor headWeight, Tensor targets, Action<long, long, Tensor, Tensor, Tensor> visit)
    {
        Tensor column = targets.unsqueeze(1);                                                        // [N,1]
        for (long start = 0, all = targets.shape[0]; start < all; start += chunkTokens)
        {
            using var chunk = NewDisposeScope();
            long count = Math.Min(chunkTokens, all - start);
            Tensor h = hidden.narrow(0, start, count);                                               // [n,C]
            Tensor logProbabilities = nn.functional.linear(h, headWeight).log_softmax(1);            // [n,V]
            visit(start, count, h, column.narrow(0, start, count), logProbabilities);
        }
    }
}
