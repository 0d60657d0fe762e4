using MLNetExtension.Models;
using TorchSharp;
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
/// Where logits are capped, z = c tanh(z' / c) for the product z' = h W', whose gradient is that by z times 1 - (z / c)^2.
/// Sources: label smoothing, Szegedy et al. 2016, section 7; z-loss, Chowdhery et al. 2022 (PaLM), section 5.
/// </remarks>
/// <param name="chunkTokens">Targets handled at a time; bounds the memory of the loss, whatever N. Default null: 256 on the CPU, where fewer make matrix products slower and more leave the caches; on a GPU, which is
/// faster the more it is given at once, as many as have 2^26 logits, at least 256.</param>
/// <param name="labelSmoothing">Share of a target's probability that is spread over all tokens, 0 to below 1. Default 0.</param>
/// <param name="zLoss">Coefficient of the squared log of the softmax's normaliser. Default 0.</param>
public sealed class LinearCrossEntropy(int? chunkTokens = null, double labelSmoothing = 0, double zLoss = 0) : ITokenLoss
{
    private const long TokensOnCpu = 256, LogitsOnGpu = 1 << 26;

    /// <inheritdoc/>
    public LossSum Backward(TokenTargets targets, TokenGradients gradients)
    {
        using var _ = no_grad();
        Tensor sum = zeros([], dtype: float64, device: targets.Hidden.device);
        Tensor correct = zeros_like(sum);
        ForEachChunk(targets, (start, h, y, logits) =>
        {
            Tensor? slope = targets.LogitCap is { } cap ? (logits / cap).square().neg_().add_(1) : null;   // [n,V]
            Tensor? weights = targets.Weights?.narrow(0, start, y.shape[0]).unsqueeze(1);                   // [n,1] float64
            Tensor largest = logits.amax([1], keepdim: true), target = logits.gather(1, y);                 // [n,1]
            correct.add_(Sum(Hits(logits, target.eq(largest), y).to(float64), weights));
            Tensor? mean = labelSmoothing == 0 ? null : logits.mean([1], keepdim: true, type: float64);     // [n,1] float64

            // In the memory of the logits, unless they are the caller's.
            Tensor powers = (targets.HeadWeight is null ? logits - largest : logits.sub_(largest)).exp_();   // [n,V]
            Tensor total = powers.sum(1, keepdim: true);                                                    // [n,1]
            Tensor normaliser = largest.to(float64) + total.to(float64).log();                             // [n,1] float64: logsumexp(z)
            sum.add_(Sum(Losses(normaliser, target.to(float64), mean), weights));

            Tensor logitGradient = LogitGradient(powers, total, y, normaliser, weights?.mul(gradients.Scale) ?? full_like(normaliser, gradients.Scale), slope).to(h.dtype);
            Tensor hiddenGradient = gradients.Hidden.narrow(0, start, y.shape[0]);
            if (targets.HeadWeight is null)
                hiddenGradient.add_(logitGradient);
            else
                hiddenGradient.addmm_(logitGradient, targets.HeadWeight);                                    // [n,V] [V,C]
            if (gradients.HeadWeight?.dtype == h.dtype)
                gradients.HeadWeight.addmm_(logitGradient.t(), h);                                           // [V,n] [n,C]
            else
                gradients.HeadWeight?.add_(logitGradient.t().mm(h));    // in half precision, of which each chunk is rounded once and none is summed
        });
        return new LossSum(sum, targets.TargetCount, correct);
    }

    /// <summary>Gives the negative log-likelihood of each target, without smoothing or z-loss.</summary>
    /// <param name="hidden">Hidden states at the targets, [N,C].</param>
    /// <param name="headWeight">The head's weight, [V,C]; null where the hidden states are the logits, [N,V].</param>
    /// <param name="targets">Target ids, [N] int64.</param>
    /// <param name="correct">Where given, is set to 1 for each target that is the likeliest token and to 0 for the others, [N] of any dtype.</param>
    /// <returns>Nats, [N], without a gradient.</returns>
    public Tensor PerToken(Tensor hidden, Tensor? headWeight, Tensor targets, Tensor? correct = null) =>
        PerToken(new TokenTargets(hidden, headWeight, targets, Weights: null, targets.shape[0]), correct);

    /// <summary>Gives the negative log-likelihood of each target, without smoothing or z-loss, of logits that may be capped.</summary>
    internal Tensor PerToken(TokenTargets targets, Tensor? correct)
    {
        using var _ = no_grad();
        Tensor losses = empty(targets.Targets.shape[0], dtype: targets.Hidden.dtype.Widen(), device: targets.Hidden.device);
        ForEachChunk(targets, (start, _, y, logits) =>
        {
            losses.narrow(0, start, y.shape[0]).copy_(logits.log_softmax(1).gather(1, y).squeeze(1)).neg_();
            correct?.narrow(0, start, y.shape[0]).copy_(logits.argmax(1, keepdim: true).eq(y).squeeze(1));
        });
        return losses;
    }

    // [n,1] float64
    private Tensor Losses(Tensor normaliser, Tensor target, Tensor? mean)
    {
        Tensor losses = normaliser - target * (1 - labelSmoothing);
        if (mean is not null)
            losses.sub_(mean * labelSmoothing);
        return zLoss == 0 ? losses : losses.add_(normaliser.square() * zLoss);
    }

    // [n,V], in the memory of the powers. Whatever multiplies a whole row is gathered first, so that one pass does it all.
    private Tensor LogitGradient(Tensor powers, Tensor total, Tensor y, Tensor normaliser, Tensor weight, Tensor? slope)
    {
        Tensor factor = (zLoss == 0 ? weight : weight * normaliser.mul(2 * zLoss).add_(1)) / total;                         // [n,1] float64
        Tensor gradient = powers.mul_(factor.to(powers.dtype));
        if (labelSmoothing != 0)
            gradient.sub_((weight * (labelSmoothing / gradient.shape[1])).to(gradient.dtype));
        gradient.scatter_add_(1, y, (weight * -(1 - labelSmoothing)).to(gradient.dtype));
        return slope is null ? gradient : gradient.mul_(slope);
    }

    // Which targets are the first of the largest logits, [n,1]: of equal ones, the model would say the first. On the CPU, where asking costs no synchronisation, only candidates are looked at.
    private static Tensor Hits(Tensor logits, Tensor candidates, Tensor y)
    {
        if (logits.device_type != DeviceType.CPU)
            return logits.argmax(1, keepdim: true).eq(y);
        Tensor rows = candidates.flatten().nonzero().flatten();
        return rows.shape[0] == 0 ? candidates : candidates.index_copy_(0, rows, logits.index_select(0, rows).argmax(1, keepdim: true).eq(y.index_select(0, rows)));
    }

    private static Tensor Sum(Tensor values, Tensor? weights) => (weights is null ? values : values * weights).sum();

    private static long TokensOf(TokenTargets targets)
    {
        if (targets.Hidden.device_type == DeviceType.CPU)
            return TokensOnCpu;
        long vocabulary = (targets.HeadWeight ?? targets.Hidden.t()).shape[0];
        return Math.Max(TokensOnCpu, LogitsOnGpu / vocabulary);
    }

    // A chunk's tensors live in a scope of their own, so the next chunk reuses their memory.
    private void ForEachChunk(TokenTargets targets, Action<long, Tensor, Tensor, Tensor> visit)
    {
        Tensor column = targets.Targets.unsqueeze(1);                                                // [N,1]
        long size = chunkTokens ?? TokensOf(targets);
        for (long start = 0, all = targets.Targets.shape[0]; start < all; start += size)
        {
            using var chunk = NewDisposeScope();
            long count = Math.Min(size, all - start);
            Tensor h = targets.Hidden.narrow(0, start, count);                                       // [n,C]
            Tensor logits = (targets.HeadWeight is { } head ? nn.functional.linear(h, head) : h).Widen();    // [n,V]
            if (targets.LogitCap is { } cap)
                logits = logits.div(cap).tanh_().mul_(cap);
            visit(start, h, column.narrow(0, start, count), logits);
        }
    }
}
