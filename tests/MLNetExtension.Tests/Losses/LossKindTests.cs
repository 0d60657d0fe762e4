using MLNetExtension.Losses;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Losses;

[TestClass]
public sealed class LossKindTests
{
    // 1 - p has no digits left where p is computed first; the factor is taken from log p.
    [TestMethod]
    [DataRow(0.0)]
    [DataRow(-1e-300)]
    [DataRow(-1e-12)]
    [DataRow(-0.5)]
    [DataRow(-40.0)]
    [DataRow(-1e4)]
    public void The_factors_of_the_focal_loss_are_exact_from_certain_to_impossible(double logProbability)
    {
        foreach (double gamma in new[] { 0, 0.5, 2, 5 })
        {
            using var scope = NewDisposeScope();
            TargetFactors factors = LossKind.Focal(gamma).Factors(tensor(logProbability, dtype: float64).view(1, 1), zeros(1, 1, dtype: float64))!.Value;
            double rest = -ExpM1(logProbability), p = 1 - rest;
            double loss = Math.Pow(rest, gamma), slope = rest == 0 ? loss : loss * (1 + gamma * p * -logProbability / rest);
            Assert.AreEqual(loss, factors.Loss.ToDouble(), 1e-13 * loss);
            Assert.AreEqual(slope, factors.Gradient.ToDouble(), 1e-13 * slope);
        }
    }

    [TestMethod]
    public void With_gamma_0_the_focal_loss_is_the_cross_entropy()
    {
        using var scope = NewDisposeScope();
        Tensor logits = randn(9, 7, dtype: float64, generator: new Generator(3)), targets = randint(7, [9], dtype: int64, generator: new Generator(4));
        Tensor expected = Gradient(null), actual = Gradient(LossKind.Focal(0));
        Assert.IsLessThan(1e-15, Ragged.RelativeError(actual, expected));

        Tensor Gradient(LossKind? kind)
        {
            Tensor gradient = zeros_like(logits);
            new LinearCrossEntropy(kind: kind).Backward(new TokenTargets(logits, null, targets, null, 9), new TokenGradients(gradient, null, 1));
            return gradient;
        }
    }

    [TestMethod]
    public void Label_smoothing_is_refused_where_the_loss_is_not_the_cross_entropy()
    {
        string message = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new LinearCrossEntropy(labelSmoothing: 0.1, kind: LossKind.Focal(3))).Message;
        StringAssert.StartsWith(message, "labelSmoothing is 0.1; allowed is 0 where kind is focal loss with gamma 3.");
        StringAssert.StartsWith(Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new LinearCrossEntropy(kind: LossKind.Focal(-1))).Message, "kind.Gamma is -1; allowed is from 0 to 100.");
    }

    // Of float32's logits, the losses are still summed in float64.
    [TestMethod]
    public void Losses_are_summed_in_float64()
    {
        using var scope = NewDisposeScope();
        Tensor logits = zeros(100_000, 2), targets = zeros(100_000, dtype: int64);
        foreach ((LossKind kind, double factor) in new[] { (LossKind.Dft, 0.5), (LossKind.Focal(2), 0.25) })
        {
            LossSum loss = new LinearCrossEntropy(kind: kind).Backward(new TokenTargets(logits, null, targets, null, 100_000), new TokenGradients(zeros_like(logits), null, 1));
            Assert.AreEqual(factor * Math.Log(2) * 100_000, loss.Sum.ToDouble(), 2e-8 * 100_000);
        }
    }

    // exp(x) - 1 by its series where that is exact to the last digits.
    private static double ExpM1(double x) => Math.Abs(x) < 1e-5 ? x + x * x / 2 : Math.Exp(x) - 1;
}
