using MLNetExtension.Training.Optimization.Rules;

namespace MLNetExtension.Training.Optimization;

/// <summary>Adafactor: of a matrix's squared gradients only the means of rows and of columns are kept, so its state is next to nothing.</summary>
/// <remarks>
/// <para>Step t: beta = 1 - t^-0.8; R, C = running means of the rows and columns of G^2 + 1e-30; U = G / sqrt(R C' / mean(R)); U is divided by max(1, rms(U) / threshold); the step's rate is
/// learning rate * max(1e-3, rms(W)), so the learning rate is a share of a parameter's size. Vectors keep the mean of each number. There is no momentum.</para>
/// <para>Ranks do not share its state, which is small.</para>
/// <para>Source: N. Shazeer and M. Stern, "Adafactor: adaptive learning rates with sublinear memory cost", 2018, algorithms 4 and 5, with the learning rate in the place of its relative step size.</para>
/// </remarks>
public sealed record AdafactorOptions : OptimizerOptions
{
    /// <summary>The root mean square that a longer update is scaled down to. Default 1; above 0.</summary>
    public double ClippingThreshold { get; init; } = 1;

    internal override bool SharesState => false;

    internal override bool UpdatesWholeParameters => true;

    internal override string Describe() => FormattableString.Invariant($"Adafactor with weight decay {WeightDecay:G3}");

    internal override OptimizerOptions FillIn(TrainedKind trained) => this with { WeightDecay = WeightDecay ?? 0 };

    // Shares of a parameter's size: the paper's 1e-2 for a new network.
    internal override double DeriveLearningRate(TrainedKind trained, double usual) => trained == TrainedKind.New ? 1e-2 : 1e-3;

    internal override IUpdateRule CreateRule(UpdateLayout layout) => new AdafactorRule(layout, ClippingThreshold);

    internal override void Validate(string group)
    {
        base.Validate(group);
        Require.Positive(ClippingThreshold, group);
    }
}
