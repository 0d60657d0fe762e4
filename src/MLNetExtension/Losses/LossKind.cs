using System.Text.Json.Serialization;
using static TorchSharp.torch;

namespace MLNetExtension.Losses;

/// <summary>What a target costs: its cross entropy, or that times a factor of its probability.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(CrossEntropyLoss), "crossEntropy")]
[JsonDerivedType(typeof(DftLoss), "dft")]
[JsonDerivedType(typeof(FocalLoss), "focal")]
public abstract record LossKind
{
    private protected LossKind()
    {
    }

    /// <summary>The cross entropy, -log p of the target's probability p.</summary>
    public static LossKind CrossEntropy { get; } = new CrossEntropyLoss();

    /// <summary>
    /// Dynamic fine-tuning: -p log p, where the factor p carries no gradient. The gradient is p times that of the cross entropy, so that targets which the model thinks unlikely pull less: for
    /// fine-tuning on examples of which some are beyond the model, not for new networks, which think every target unlikely.
    /// </summary>
    /// <remarks>Source: Y. Wu et al., "On the generalization of SFT: a reinforcement learning perspective with reward rectification", 2025, arXiv 2508.05629, equation 9.</remarks>
    public static LossKind Dft { get; } = new DftLoss();

    /// <summary>The focal loss, -(1 - p)^gamma log p: targets that are already likely pull less.</summary>
    /// <param name="gamma">Default 2; from 0, which is the cross entropy, to 100.</param>
    /// <remarks>Source: T.-Y. Lin et al., "Focal loss for dense object detection", 2017, arXiv 1708.02002, equation 4.</remarks>
    public static LossKind Focal(double gamma = 2) => new FocalLoss(gamma);

    /// <summary>The loss in words, for the log.</summary>
    internal abstract string Describe();

    /// <summary>Whether a share of a target's probability can be spread over all tokens: only where the loss is the cross entropy of such a distribution.</summary>
    internal virtual bool AllowsLabelSmoothing => false;

    /// <summary>Computes what multiplies the cross entropy of targets; null for nothing.</summary>
    /// <param name="logits">The targets' logits z_y, [n,1] float64.</param>
    /// <param name="normalisers">logsumexp(z), [n,1] float64: at least as large.</param>
    internal abstract TargetFactors? Factors(Tensor logits, Tensor normalisers);

    /// <summary>Checks the loss's numbers.</summary>
    /// <param name="group">What messages call the loss.</param>
    /// <exception cref="ArgumentOutOfRangeException">One is out of its range.</exception>
    internal virtual void Validate(string group)
    {
    }

    internal sealed record CrossEntropyLoss : LossKind
    {
        internal override bool AllowsLabelSmoothing => true;

        internal override string Describe() => "cross entropy";

        internal override TargetFactors? Factors(Tensor logits, Tensor normalisers) => null;
    }

    internal sealed record DftLoss : LossKind
    {
        internal override string Describe() => "dynamic fine-tuning, the cross entropy times the target's probability";

        internal override TargetFactors? Factors(Tensor logits, Tensor normalisers)
        {
            Tensor probabilities = (logits - normalisers).exp();
            return new TargetFactors(probabilities, probabilities);
        }
    }

    internal sealed record FocalLoss(double Gamma) : LossKind
    {
        private const double LargestGamma = 100;

        internal override string Describe() => FormattableString.Invariant($"focal loss with gamma {Gamma}");

        // With u = log p the loss is -(1 - p)^g u, and its derivative by -u is (1 - p)^g (1 + g p (-u) / (1 - p)), whose quotient is 1 where p is.
        internal override TargetFactors? Factors(Tensor logits, Tensor normalisers)
        {
            Tensor logProbabilities = logits - normalisers;
            Tensor rest = logProbabilities.expm1();                                                          // p - 1, exact where p is nearly 1
            Tensor quotient = where(rest.eq(Scalars.Zero), ones_like(rest), logProbabilities / rest);
            Tensor factor = rest.neg().pow(Scalars.Of(Gamma));
            return new TargetFactors(factor, factor * (rest.Plus(1) * Scalars.Of(Gamma) * quotient).Plus(1));
        }

        internal override void Validate(string group) => Require.That(Gamma is >= 0 and <= LargestGamma, Gamma, "from 0 to 100", group);
    }
}

/// <summary>What multiplies the cross entropy of targets.</summary>
/// <param name="Loss">Of the loss, [n,1] float64.</param>
/// <param name="Gradient">Of the cross entropy's gradient by the logits, [n,1] float64.</param>
internal readonly record struct TargetFactors(Tensor Loss, Tensor Gradient);
