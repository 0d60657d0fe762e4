using static TorchSharp.torch;

namespace MLNetExtension.Training.Optimization;

/// <summary>Clips a gradient by its L2 norm (Pascanu, Mikolov and Bengio 2013).</summary>
public static class GradientClipping
{
    /// <summary>Scales a gradient down to a norm that it exceeds; leaves a shorter one as it is.</summary>
    /// <param name="gradient">The whole gradient, [P].</param>
    /// <param name="norm">Its L2 norm.</param>
    /// <param name="maximumNorm">The longest that it may be; 0 switches clipping off.</param>
    public static void Clip(Tensor gradient, double norm, double maximumNorm)
    {
        if (maximumNorm > 0 && norm > maximumNorm)
            gradient.mul_(Scalars.Of(maximumNorm / norm));
    }
}
