using MLNetExtension.Training.Optimization.Rules;

namespace MLNetExtension.Training.Optimization;

/// <summary>AdamW: each number of the weights is updated by the running mean of its gradient, divided by the root of the running mean of its square.</summary>
/// <remarks>Sources: I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", 2019, algorithm 2; for a state of 8 bits T. Dettmers et al., "8-bit optimizers via block-wise quantization", 2021,
/// arXiv 2110.02861.</remarks>
public sealed record AdamWOptions : OptimizerOptions
{
    internal const double DefaultBeta2 = 0.95, DefaultWeightDecay = 0.1;

    /// <summary>Decay of the running mean of gradients. Default 0.9; from 0 to below 1.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the running mean of squared gradients, from 0 to below 1. Default null: 0.95 for a new network, 0.999 for a pretrained model and for adapters.</summary>
    public double? Beta2 { get; init; }

    /// <summary>Added to the denominator of an update. Default 1e-8; from 1.18e-38, float32's smallest normal number, to 1e30.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>
    /// Bits in which each of the two running means is kept: 32 (64 where the model is float64), or 8, which takes 2.04 bytes a weight in place of 8. Default 32. In 8 bits a number is off by up to
    /// 0.7 percent of the largest of its block of 256, and ranks do not share the state.
    /// </summary>
    public int StateBits { get; init; } = 32;

    internal override bool SharesState => StateBits == 32;

    internal override bool UpdatesWholeParameters => false;

    internal override string Describe() =>
        FormattableString.Invariant($"AdamW{(StateBits == 8 ? " with a state of 8 bits," : "")} with weight decay {WeightDecay:G3} and betas {Beta1:G4} and {Beta2:G4}");

    internal override OptimizerOptions FillIn(TrainedKind trained) => this with { Beta2 = Beta2 ?? DefaultBeta2For(trained), WeightDecay = WeightDecay ?? DefaultWeightDecayFor(trained) };

    internal static double DefaultBeta2For(TrainedKind trained) => trained == TrainedKind.New ? DefaultBeta2 : 0.999;

    internal static double DefaultWeightDecayFor(TrainedKind trained) => trained switch
    {
        TrainedKind.New => DefaultWeightDecay,
        TrainedKind.Pretrained => 0.01,
        _ => 0,
    };

    internal override double DeriveLearningRate(TrainedKind trained, double usual) => usual;

    internal override IUpdateRule CreateRule(UpdateLayout layout) => StateBits == 8 ? new EightBitAdamWRule(layout, ToCoefficients()) : new AdamWRule(layout, ToCoefficients());

    internal AdamWCoefficients ToCoefficients() => new(Beta1, Beta2 ?? DefaultBeta2, Epsilon);

    internal override void Validate(string group)
    {
        base.Validate(group);
        Require.Share(Beta1, group);
        Require.Share(Beta2, group);
        Require.Positive(Epsilon, group);
        Require.That(StateBits is 8 or 32, StateBits, "8 or 32", group);
    }
}
