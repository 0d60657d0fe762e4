using MLNetExtension.Files;

namespace MLNetExtension.Models;

/// <summary>Numbers in a stranger's description of a model with which float32 gives finite results; published models are well inside.</summary>
internal static class SafeRanges
{
    /// <summary>What norms add to a mean square. Published: 1e-8 to 1e-3.</summary>
    public static NumberRange NormEpsilon { get; } = new(1e-12, 1);

    /// <summary>Base of the rotary frequencies; at 1 all are equal. Published: 10,000 to 1e9.</summary>
    public static NumberRange RotaryBase { get; } = new(1, 1e15, IsOpen: true);

    /// <summary>Factors and numbers of turns in the scaling of rotary frequencies, and of adapters. Published: 0.1 to 1,024.</summary>
    public static NumberRange Scaling { get; } = new(1e-6, 1e6);

    /// <summary>Standard deviation of starting weights.</summary>
    public static NumberRange StandardDeviation { get; } = new(0, 1e3);

    /// <summary>Coefficient of a loss.</summary>
    public static NumberRange Coefficient { get; } = new(0, 1e6);
}
