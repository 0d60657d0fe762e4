using static TorchSharp.torch;

namespace MLNetExtension.Losses;

/// <summary>
/// The head and its cross entropy in chunks of targets: loss, gradient and accuracy in one pass, with the [N,V] logits never whole.
/// N targets, n of them in a chunk, C width, V vocabulary.
/// </summary>
/// <remarks>
/// For logits z = h W', log-probabilities p = z - logsumexp(z), target y, smoothing s and z-loss coefficient k a target costs
/// <c>-(1 - s) p_y - (s / V) sum_v p_v + k logsumexp(z)^2</c>, whose gradient by z is
/// <c>(1 + 2 k logsumexp(z)) softmax(z) - (1 - s) onehot(y) - s / V</c>. So no graph is recorded and nothing is kept but one chunk.
/// Sources: label smoothing, Szegedy et al. 2016, section 7; z-loss, Chowdhery et al. 2022 (PaLM), section 5.
/// </remarks>
/// <param name="chunkTokens">Targets handled at a time; bounds the memory of the loss, whatever N. Default 1024.</param>
/// <param name="labelSmoothing">Share of a target's probability that is spread over all tokens, 0 to below 1. Default 0.</param>
/// <param name="zLoss">Coefficient of the squared log of the softmax's normaliser. Default 0.</param>
public sealed class LinearCrossEntropy(int chunkTokens = 1024, double labelSmoothing = 0, double zLoss = 0) : ITokenLoss
{
    /// <inheritdoc/>
    public LossSum Backward(TokenTargets targets, TokenGradients gradients)
    {
        using var _ = no_grad();
        Tensor sum = zeros([], dtype: float64, device: targets.Hidden.device);
        Tensor correct = zeros_like(sum);
        ForEachChunk(targets.Hidden, targets.HeadWeight, targets.Targets, (start, h, y, logits) =>
        {
            Tensor? weights = targets.Weights?.narrow(0, start, y.shape[0]).unsqueeze(1);                   // [n,1]
            correct.add_(Sum(logits.argmax(1, keepdim: true).eq(y).to(float64), weights));

            Tensor? normaliser = zLoss == 0 ? null : logits.logsumexp(1, keepdim: true);                    // [n,1]
            Tensor logProbabilities = logits.log_softmax(1);                                                // [n,V]
            sum.add_(Sum(Losses(logProbabilities, y, normaliser), weights));

            Tensor logitGradient = LogitGradient(logProbabilities, y, normaliser);                           // [n,V]
            if (weights is not null)
                logitGradient.mul_(weights);
            if (gradients.Scale != 1)
                logitGradient.mul_(gradients.Scale);
            logitGradient = logitGradient.to(h.dtype);
            gradients.Hidden.narrow(0, start, y.shape[0]).addmm_(logitGradient, targets.HeadWeight);         // [n,V] [V,C]
            gradients.HeadWeight.addmm_(logitGradient.t(), h);                                              // [V,n] [n,C]
        });
        return new LossSum(sum, targets.TargetCount, correct);
    }

    /// <summary>Gives the negative log-likelihood of each target, without smoothing or z-loss.</summary>
    /// <param name="hidden">Hidden states at the targets, [N,C].</param>
    /// <param name="headWeight">The head's weight, [V,C].</param>
    /// <param name="targets">Target ids, [N] int64.</param>
    /// <returns>Nats, [N], without a gradient.</returns>
    public Tensor PerToken(Tensor hidden, Tensor headWeight, Tensor targets)
    {
        using var _ = no_grad();
        Tensor losses = empty(targets.shape[0], dtype: AtLeastSingle(hidden.dtype), device: hidden.device);
        ForEachChunk(hidden, headWeight, targets, (start, _, y, logits) =>
            losses.narrow(0, start, y.shape[0]).copy_(logits.log_softmax(1).gather(1, y).squeeze(1)).neg_());
        return losses;
    }

    // [n,1] float64
    private Tensor Losses(Tensor logProbabilities, Tensor y, Tensor? normaliser)
    {
        Tensor losses = logProbabilities.gather(1, y).to(float64) * -(1 - labelSmoothing);
        if (labelSmoothing != 0)
            losses = losses - logProbabilities.mean([1], keepdim: true, type: float64) * labelSmoothing;
        return normaliser is null ? losses : losses + normaliser.to(float64).square() * zLoss;
    }

    // [n,V], in the memory of the log-probabilities
    private Tensor LogitGradient(Tensor logProbabilities, Tensor y, Tensor? normaliser)
    {
        Tensor gradient = logProbabilities.exp_();
        if (normaliser is not null)
            gradient.mul_(normaliser.mul(2 * zLoss).add_(1));
        if (labelSmoothing != 0)
            gradient.sub_(labelSmoothing / gradient.shape[1]);
        return gradient.scatter_add_(1, y, full_like(y, -(1 - labelSmoothing), dtype: gradient.dtype));
    }

    private static Tensor Sum(Tensor values, Tensor? weights) => (weights is null ? values : values * weights).sum();

    // A chunk's tensors live in a scope of their own, so the next chunk reuses their memory.
    private void ForEachChunk(Tensor hidden, Tensor headWeight, Tensor targets, Action<long, Tensor, Tensor, Tensor> visit)
    {
        Tensor column = targets.unsqueeze(1);                                                        // [N,1]
        for (long start = 0, all = targets.shape[0]; start < all; start += chunkTokens)
        {
            using var chunk = NewDisposeScope();
            long count = Math.Min(chunkTokens, all - start);
            Tensor h = hidden.narrow(0, start, count);                                               // [n,C]
            Tensor logits = nn.functional.linear(h, headWeight);                                     // [n,V]
            visit(start, h, column.narrow(0, start, count), logits.to(AtLeastSingle(logits.dtype)));
        }
    }

    // The softmax of half-precision logits is taken in float32.
    private static ScalarType AtLeastSingle(ScalarType dtype) => dtype == ScalarType.Float64 ? dtype : ScalarType.Float32;
}
