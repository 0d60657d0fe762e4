using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Ranks;

namespace MLNetExtension.Training.Optimization;

/// <summary>How the optimizer AdamW updates the weights from a gradient.</summary>
/// <remarks>Source: I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", 2019.</remarks>
public sealed record AdamWOptions
{
    internal const double DefaultBeta2 = 0.95, DefaultWeightDecay = 0.1;

    // Times the largest learning rate, still a float32.
    private const double MostWeightDecay = 1e6;

    /// <summary>Decay of the running mean of gradients. Default 0.9; from 0 to below 1.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the running mean of squared gradients, from 0 to below 1. Default null: 0.95 for a new network, 0.999 for a pretrained model and for adapters.</summary>
    public double? Beta2 { get; init; }

    /// <summary>Added to the denominator of an update. Default 1e-8; from 1.18e-38, float32's smallest normal number, to 1e30.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Decoupled weight decay, from 0 to 1e6. Default null: 0.1 for a new network, 0.01 for a pretrained model, 0 for adapters.</summary>
    public double? WeightDecay { get; init; }

    /// <summary>Which parameters decay. Default <see cref="WeightDecayRule.Matrices"/>.</summary>
    public WeightDecayRule DecayRule { get; init; } = WeightDecayRule.Matrices;

    /// <summary>
    /// Names of parameters that do not decay, whatever the rule says; <c>*</c> stands for any characters, upper and lower case are the same. Names are those of published files where the model has such
    /// (<c>model.norm.weight</c>), else those of its modules. A name without <c>*</c> that no parameter has is refused. Default: none.
    /// </summary>
    public IReadOnlyList<string> DecayExclusions { get; init; } = [];

    /// <summary>L2 norm that a longer gradient is clipped to. Default 1; from 0 to 1e30, and 0 switches clipping off.</summary>
    public double MaximumGradientNorm { get; init; } = 1;

    internal AdamW CreateOptimizer(FlatParameters parameters, IRankGroup? ranks = null) => new(parameters, this, ranks ?? SingleRank.Instance);

    internal void Validate(string group)
    {
        Require.Share(Beta1, group);
        Require.Share(Beta2, group);
        Require.Positive(Epsilon, group);
        Require.That(WeightDecay is null or (>= 0 and <= MostWeightDecay), WeightDecay, "from 0 to 1E+06", group);
        Require.Defined(DecayRule, group);
        Require.Names(DecayExclusions, group);
        Require.NotNegative(MaximumGradientNorm, group);
    }
}
