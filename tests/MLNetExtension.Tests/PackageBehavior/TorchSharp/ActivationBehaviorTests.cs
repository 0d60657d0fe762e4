using static TorchSharp.torch;

namespace MLNetExtension.Tests.PackageBehavior.TorchSharp;

/// <summary>TorchSharp's <c>gelu</c> is by default the exact one, x times the normal distribution function: <see cref="MLNetExtension.Models.Layers.Activation.Gelu"/>, the default of a new model, is that.</summary>
[TestClass]
public sealed class ActivationBehaviorTests
{
    // The approximation by a hyperbolic tangent, the other one that torch has, differs by up to 5e-4.
    [TestMethod]
    public void Gelu_is_x_times_the_normal_distribution_function()
    {
        using var scope = NewDisposeScope();
        Tensor input = linspace(-4, 4, 81, dtype: float64);

        Tensor expected = input * 0.5 * (1 + (input / Math.Sqrt(2)).erf());

        Assert.IsLessThan(1e-14, (nn.functional.gelu(input) - expected).abs().max().item<double>());
    }
}
