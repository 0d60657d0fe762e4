using MLNetExtension.Losses;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Optimization;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Accumulation;

/// <summary>CASES 37. pytorch #68326, #169237: the float32 norm of a long buffer is too small, so that clipping depends on the model's size.</summary>
[TestClass]
public sealed class GradientNormTests
{
    // Half of the elements are a third of the others, so that a piece left out or counted twice shows. Seen to fail with: norm() of the whole buffer (21.56 for 22.36); the last, shorter piece left out.
    [TestMethod]
    public void The_norm_of_more_than_100_million_elements_is_right_to_1e_5_and_clipping_uses_it()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        const long Half = 50_000_007;
        const float Small = 1e-3f;
        using FlatParameters parameters = Create(2 * Half);
        using GradientAccumulator accumulator = new(parameters, LossNormalization.Token);
        parameters.Gradients.narrow(0, 0, Half).fill_(2 * Small);
        parameters.Gradients.narrow(0, Half, Half).fill_(6 * Small);
        accumulator.Add(new LossSum(zeros([], dtype: float64), TargetCount: 2));

        BatchLoss loss = accumulator.DivideGradient();
        GradientClipping.Clip(parameters.Gradients, loss.GradientNorm, maximumNorm: 1);

        double expected = Math.Sqrt(10.0 * Half) * Small;
        Assert.AreEqual(expected, loss.GradientNorm, 1e-5 * expected);
        Assert.AreEqual(Small / expected, parameters.Gradients[0].ToDouble(), 1e-5 * Small / expected);
        Assert.AreEqual(3 * Small / expected, parameters.Gradients[-1].ToDouble(), 1e-5 * 3 * Small / expected);
    }

    // The square of an element may leave float32's range where the element and the norm do not. Seen to fail with: squares in float32.
    [TestMethod]
    [DataRow(1e30f)]
    [DataRow(1e-30f)]
    public void A_norm_is_right_wherever_the_gradient_is_finite(float size)
    {
        using var scope = NewDisposeScope();
        using FlatParameters parameters = Create(2);
        using GradientAccumulator accumulator = new(parameters, LossNormalization.Token);
        parameters.Gradients.copy_(tensor(new[] { 3 * size, 4 * size }));
        accumulator.Add(new LossSum(ones([], dtype: float64), TargetCount: 1));

        BatchLoss loss = accumulator.DivideGradient();

        Assert.AreEqual(5.0 * size, loss.GradientNorm, 1e-6 * 5 * size);
        Assert.IsTrue(loss.IsFinite);
    }

    private static FlatParameters Create(long length)
    {
        using var scope = NewDisposeScope();
        return new FlatParameters([("weight", new Parameter(zeros(length)))]);
    }
}
