namespace MLNetExtension.Training.Optimization;

/// <summary>How the optimizer AdamW updates the weights from a gradient.</summary>
/// <remarks>Source: I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", 2019.</remarks>
public sealed record AdamWOptions
{
    /// <summary>Decay of the running mean of gradients. Default 0.9; from 0 to below 1.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the running mean of squared gradients. Default 0.95; from 0 to below 1.</summary>
    public double Beta2 { get; init; } = 0.95;

    /// <summary>Added to the denominator of an update. Default 1e-8; above 0.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Decoupled weight decay of matrices; vectors are not decayed. Default 0.1; at least 0.</summary>
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>L2 norm that a longer gradient is clipped to. Default 1; at least 0, and 0 switches clipping off.</summary>
    public double MaximumGradientNorm { get; init; } = 1;

    internal void Validate(string group)
    {
        Require.That(Beta1 is >= 0 and < 1, Beta1, "from 0 to below 1", group);
        Require.That(Beta2 is >= 0 and < 1, Beta2, "from 0 to below 1", group);
        Require.That(Epsilon > 0 && double.IsFinite(Epsilon), Epsilon, "above 0", group);
        Require.That(WeightDecay >= 0 && double.IsFinite(WeightDecay), WeightDecay, "at least 0", group);
        Require.That(MaximumGradientNorm >= 0, MaximumGradientNorm, "at least 0", group);
    }
}
