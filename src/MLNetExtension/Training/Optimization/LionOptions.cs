using MLNetExtension.Training.Optimization.Rules;

namespace MLNetExtension.Training.Optimization;

/// <summary>Lion: every number of a weight is updated by the learning rate, in the direction of the sign of a mix of momentum and gradient; its state is half of AdamW's.</summary>
/// <remarks>
/// <para>U = sign(beta1 M + (1 - beta1) G); W = (1 - rate * decay) W - rate U; M = beta2 M + (1 - beta2) G.</para>
/// <para>Source: X. Chen et al., "Symbolic discovery of optimization algorithms", 2023, arXiv 2302.06675, which advises a learning rate 3 to 10 times smaller than AdamW's and a weight decay so many times larger:
/// the defaults are a tenth and ten times.</para>
/// </remarks>
public sealed record LionOptions : OptimizerOptions
{
    private const double Ratio = 10;

    /// <summary>Share of the momentum in an update's direction. Default 0.9; from 0 to below 1.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the momentum. Default 0.99; from 0 to below 1.</summary>
    public double Beta2 { get; init; } = 0.99;

    internal override bool SharesState => true;

    internal override bool UpdatesWholeParameters => false;

    internal override string Describe() => FormattableString.Invariant($"Lion with weight decay {WeightDecay:G3} and betas {Beta1:G4} and {Beta2:G4}");

    internal override OptimizerOptions FillIn(TrainedKind trained) => this with { WeightDecay = WeightDecay ?? Ratio * AdamWOptions.DefaultWeightDecayFor(trained) };

    internal override double DeriveLearningRate(TrainedKind trained, double usual) => usual / Ratio;

    internal override IUpdateRule CreateRule(UpdateLayout layout) => new LionRule(layout, Beta1, Beta2);

    internal override void Validate(string group)
    {
        base.Validate(group);
        Require.Share(Beta1, group);
        Require.Share(Beta2, group);
    }
}
