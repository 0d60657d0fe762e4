using MLNetExtension.Models;
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
/// Another <see cref="LossKind"/> multiplies <c>-p_y</c> and its gradient by factors of the target alone, and leaves the z-loss as it is.
/// Where logits are capped, z = c tanh(z' / c) for the product z' = h W', whose gradient is that by z times 1 - (z / c)^2.
/// Sources: label smoothing, Szegedy et al. 2016, section 7; z-loss, Chowdhery et al. 2022 (PaLM), section 5.
/// </remarks>
public sealed class LinearCrossEntropy : ITokenLoss
{
    private readonly int? _chunkTokens;
    private readonly double _labelSmoothing, _zLoss;
    private readonly LossKind _kind;

    /// <summary>Makes the loss.</summary>
    /// <param name="chunkTokens">Targets handled at a time; bounds the memory of the loss, whatever N. Default null: 256 on the CPU, where fewer make matrix products slower and more leave the caches; on a GPU, which is
    /// faster the more it is given at once, as many as have 2^26 logits, at least 256.</param>
    /// <param name="labelSmoothing">Share of a target's probability that is spread over all tokens, 0 to below 1. Default 0; 0 for a kind other than the cross entropy.</param>
    /// <param name="zLoss">Coefficient of the squared log of the softmax's normaliser. Default 0.</param>
    /// <param name="kind">What a target costs. Default: its cross entropy.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is label smoothing, and the kind is not the cross entropy; or a number of the kind is out of its range.</exception>
    public LinearCrossEntropy(int? chunkTokens = null, double labelSmoothing = 0, double zLoss = 0, LossKind? kind = null)
    {
        (_chunkTokens, _labelSmoothing, _zLoss, _kind) = (chunkTokens, labelSmoothing, zLoss, kind ?? LossKind.CrossEntropy);
        _kind.Validate(nameof(kind));
        Require.That(labelSmoothing == 0 || _kind.AllowsLabelSmoothing, labelSmoothing, $"0 where {nameof(kind)} is {_kind.Describe()}");
    }

    /// <inheritdoc/>
    public LossSum Backward(TokenTargets targets, TokenGradients gradients)
    {
        using var _ = no_grad();
        Tensor sum = zeros([], dtype: float64, device: targets.Hidden.device);
        Tensor correct = zeros_like(sum);
        LogitChunks.ForEach(targets, _chunkTokens, (start, h, y, logits) =>
        {
            Tensor? slope = LogitChunks.CapSlope(logits, targets.LogitCap);                                 // [n,V]
            Tensor? weights = targets.Weights?.narrow(0, start, y.shape[0]).unsqueeze(1);                   // [n,1] float64
            Tensor largest = logits.amax([1], keepdim: true), target = logits.gather(1, y);                 // [n,1]
            correct.add_(LogitChunks.Sum(LogitChunks.Hits(logits, y, target.eq(largest)).to(float64), weights), Scalars.One);
            Tensor? mean = _labelSmoothing == 0 ? null : logits.mean([1], keepdim: true, type: float64);    // [n,1] float64

            (Tensor powers, Tensor total, Tensor normaliser) = Exponentiate(logits, largest, isOurs: targets.HeadWeight is not null);
            target = target.to(float64);
            TargetFactors? factors = _kind.Factors(target, normaliser);
            sum.add_(LogitChunks.Sum(Losses(normaliser, target, mean, factors?.Loss), weights), Scalars.One);

            Tensor weight = weights?.mul(Scalars.Of(gradients.Scale)) ?? full_like(normaliser, Scalars.Of(gradients.Scale));         // [n,1] float64
            Tensor ofTarget = factors is { } own ? weight * own.Gradient : weight;
            Tensor ofAll = _zLoss == 0 ? ofTarget : weight * AddSlope(normaliser.mul(Scalars.Of(2 * _zLoss)), factors?.Gradient);
            Tensor logitGradient = LogitGradient(powers, ofAll / total, ofTarget, y);
            LogitChunks.AddGradients(slope is null ? logitGradient : logitGradient.mul_(slope), start, h, targets.HeadWeight, gradients);
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
        LogitChunks.ForEach(targets, _chunkTokens ?? LogitChunks.ScoredTokens(targets), (start, _, y, logits) =>
        {
            Tensor largest = logits.amax([1], keepdim: true), target = logits.gather(1, y);                 // [n,1]
            correct?.narrow(0, start, y.shape[0]).copy_(LogitChunks.Hits(logits, y, target.eq(largest)).squeeze(1));
            (_, _, Tensor normaliser) = Exponentiate(logits, largest, isOurs: targets.HeadWeight is not null);
            losses.narrow(0, start, y.shape[0]).copy_(normaliser.sub_(target.to(float64)).squeeze(1));
        });
        return losses;
    }

    // exp(z - largest), [n,V], in the memory of the logits where they are ours and not the caller's; its sum, [n,1]; and logsumexp(z), [n,1] float64.
    private static (Tensor Powers, Tensor Total, Tensor Normaliser) Exponentiate(Tensor logits, Tensor largest, bool isOurs)
    {
        Tensor powers = (isOurs ? logits.sub_(largest) : logits - largest).exp_(), total = powers.sum(1, keepdim: true);
        return (powers, total, largest.to(float64).Plus(total.to(float64).log()));
    }

    // [n,1] float64
    private Tensor Losses(Tensor normaliser, Tensor target, Tensor? mean, Tensor? factor)
    {
        Tensor losses = normaliser - target * Scalars.Of(1 - _labelSmoothing);
        if (mean is not null)
            losses.sub_(mean * Scalars.Of(_labelSmoothing));
        if (factor is not null)
            losses.mul_(factor);
        return _zLoss == 0 ? losses : losses.add_(normaliser.pow(Scalars.Two) * Scalars.Of(_zLoss), Scalars.One);
    }

    private static Tensor AddSlope(Tensor ofZLoss, Tensor? factor) => factor is null ? ofZLoss.add_(Scalars.One, Scalars.One) : ofZLoss.add_(factor, Scalars.One);

    // [n,V], in the memory of the powers. Whatever multiplies a whole row is gathered first, so that one pass does it all.
    private Tensor LogitGradient(Tensor powers, Tensor ofAll, Tensor ofTarget, Tensor y)
    {
        Tensor gradient = powers.mul_(ofAll.to(powers.dtype));
        if (_labelSmoothing != 0)
            gradient.sub_((ofTarget * Scalars.Of(_labelSmoothing / gradient.shape[1])).to(gradient.dtype));
        return gradient.scatter_add_(1, y, (ofTarget * Scalars.Of(-(1 - _labelSmoothing))).to(gradient.dtype));
    }
}
