using MLNetExtension.Training.Accumulation;

namespace MLNetExtension.Training.Optimization;

/// <summary>How the optimizer AdamW updates the weights from a gradient.</summary>
/// <remarks>Source: I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", 2019.</remarks>
public sealed record AdamWOptions
{
    internal const double DefaultBeta2 = 0.95, DefaultWeightDecay = 0.1;

    /// <summary>Decay of the running mean of gradients. Default 0.9; from 0 to below 1.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the running mean of squared gradients, from 0 to below 1. Default null: 0.95 for a new network, 0.999 for a pretrained model and for adapters.</summary>
    public double? Beta2 { get; init; }

    /// <summary>Added to the denominator of an update. Default 1e-8; above 0.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Decoupled weight decay, at least 0. Default null: 0.1 for a new network, 0.01 for a pretrained model, 0 for adapters.</summary>
    public double? WeightDecay { get; init; }

    /// <summary>Which parameters decay. Default <see cref="WeightDecayRule.Matrices"/>.</summary>
    public WeightDecayRule DecayRule { get; init; } = WeightDecayRule.Matrices;

    /// <summary>
    /// Names of parameters that do not decay, whatever the rule says; <c>*</c> stands for any characters, upper and lower case are the same. Names are those of published files where the model has such
    /// (<c>model.norm.weight</c>), else those of its modules. A name without <c>*</c> that no parameter has is refused. Default: none.
    /// </summary>
    public IReadOnlyList<string> DecayExclusions { get; init; } = [];

    /// <summary>L2 norm that a longer gradient is clipped to. Default 1; at least 0, and 0 switches clipping off.</summary>
    public double MaximumGradientNorm { get; init; } = 1;

    internal AdamW CreateOptimizer(FlatParameters parameters) => new(parameters, Beta1, Beta2 ?? DefaultBeta2, Epsilon, WeightDecay ?? DefaultWeightDecay);

    internal void Validate(string group)
    {
        Require.That(Beta1 is >= 0 and < 1, Beta1, "from 0 to below 1", group);
        Require.That(Beta2 is null or (>= 0 and < 1), Beta2, "from 0 to below 1", group);
        Require.That(Epsilon > 0 && double.IsFinite(Epsilon), Epsilon, "above 0", group);
        Require.That(WeightDecay is null || (WeightDecay >= 0 && double.IsFinite(WeightDecay.Value)), WeightDecay, "at least 0", group);
        Require.Defined(DecayRule, group);
        Require.That(DecayExclusions?.All(name => !string.IsNullOrEmpty(name)) == true, DecayExclusions, "names that are not empty", group);
        Require.That(MaximumGradientNorm >= 0, MaximumGradientNorm, "at least 0", group);
    }
}
