using MLNetExtension.Losses;

namespace Samples.Jobs;

/// <summary>The losses that the command line offers.</summary>
internal enum LossChoice
{
    CrossEntropy,
    Dft,
    Focal,
}

/// <summary>The divergences from a teacher that the command line offers, each with its defaults.</summary>
internal enum DivergenceChoice
{
    ForwardKl,
    ReverseKl,
    JensenShannon,
}

internal static class LossChoiceExtensions
{
    /// <summary>The loss.</summary>
    /// <param name="choice">Which one.</param>
    /// <param name="gamma">Of the focal loss; null for its default.</param>
    public static LossKind ToKind(this LossChoice choice, double? gamma) => choice switch
    {
        LossChoice.Dft => LossKind.Dft,
        LossChoice.Focal => gamma is { } given ? LossKind.Focal(given) : LossKind.Focal(),
        _ => LossKind.CrossEntropy,
    };

    /// <summary>The divergence.</summary>
    public static Divergence ToDivergence(this DivergenceChoice choice) => choice switch
    {
        DivergenceChoice.ReverseKl => Divergence.ReverseKl,
        DivergenceChoice.JensenShannon => Divergence.JensenShannon(),
        _ => Divergence.ForwardKl,
    };
}
