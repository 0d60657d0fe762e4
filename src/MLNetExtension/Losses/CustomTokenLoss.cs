using static TorchSharp.torch;

namespace MLNetExtension.Losses;

/// <summary>
/// A loss that a user writes as a function of logits, or of hidden states and the head's weight; autograd differentiates it. The function returns a sum and a count and
/// never an average: what the sum is divided by is the batch's business, so any loss of this form accumulates exactly.
/// N targets, n of them in a chunk, C width, V vocabulary.
/// </summary>
public sealed class CustomTokenLoss : ITokenLoss
{
    private readonly Func<Tensor, Tensor?, TokenTargets, LossSum> _loss;
    private readonly int? _chunkTokens;

    private CustomTokenLoss(Func<Tensor, Tensor?, TokenTargets, LossSum> loss, int? chunkTokens) => (_loss, _chunkTokens) = (loss, chunkTokens);

    /// <summary>Makes a loss of logits, which are made a chunk at a time.</summary>
    /// <param name="loss">From logits [n,V], targets [n] int64 and weights [n] float64 (null where all are 1) to a summed loss and its count. It sees one chunk at a time, so it must be a sum over targets.</param>
    /// <param name="chunkTokens">Targets handled at a time. Default 1024.</param>
    public static CustomTokenLoss OfLogits(Func<Tensor, Tensor, Tensor?, LossSum> loss, int chunkTokens = 1024) =>
        new((hidden, head, targets) => loss(ComputeLogits(hidden, head, targets.LogitCap), targets.Targets, targets.Weights), chunkTokens);

    /// <summary>Makes a loss of the hidden states of a whole micro-batch.</summary>
    /// <param name="loss">From hidden states [N,C], the head's weight [V,C] and the targets to a summed loss and its count.</param>
    /// <exception cref="NotSupportedException">While it runs: the model gives logits and has no hidden states, or caps its logits (<see cref="TokenTargets.LogitCap"/>), which the function would leave out.</exception>
    public static CustomTokenLoss OfHidden(Func<Tensor, Tensor, TokenTargets, LossSum> loss) =>
        new((hidden, head, targets) => loss(hidden, RequirePlainHead(head, targets.LogitCap), targets), chunkTokens: null);

    /// <inheritdoc/>
    public LossSum Backward(TokenTargets targets, TokenGradients gradients)
    {
        Tensor sum = zeros([], dtype: float64, device: targets.Hidden.device);
        double count = 0;
        long all = targets.Targets.shape[0], size = _chunkTokens ?? all;
        for (long start = 0; start < all; start += size)
        {
            using var chunk = NewDisposeScope();
            long length = Math.Min(size, all - start);
            Tensor hidden = targets.Hidden.narrow(0, start, length).detach().requires_grad_();
            Tensor? head = targets.HeadWeight?.detach().requires_grad_();
            LossSum loss = _loss(hidden, head, targets with
            {
                Hidden = hidden,
                Targets = targets.Targets.narrow(0, start, length),
                Weights = targets.Weights?.narrow(0, start, length),
            });
            (loss.Sum * Scalars.Of(gradients.Scale)).backward();

            using var _ = no_grad();
            sum.add_(loss.Sum.detach(), Scalars.One);
            count += loss.TargetCount;
            gradients.Hidden.narrow(0, start, length).add_(hidden.grad!, Scalars.One);
            if (head?.grad is { } headGradient)
                gradients.HeadWeight?.add_(headGradient, Scalars.One);
        }
        return new LossSum(sum, count);
    }

    private static Tensor ComputeLogits(Tensor hidden, Tensor? head, double? cap)
    {
        Tensor logits = head is null ? hidden : nn.functional.linear(hidden, head);
        return cap is { } most ? (logits / Scalars.Of(most)).tanh() * Scalars.Of(most) : logits;
    }

    private static Tensor RequirePlainHead(Tensor? head, double? cap) =>
        head is null ? throw new NotSupportedException("A loss of hidden states needs a model that has a head; this one gives logits.")
        : cap is not null ? throw new NotSupportedException($"A loss of hidden states would leave out that this model caps its logits at {cap}; expected a loss of logits ({nameof(OfLogits)}).")
        : head;
}
