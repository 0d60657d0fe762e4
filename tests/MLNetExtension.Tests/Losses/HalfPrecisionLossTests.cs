using MLNetExtension.Losses;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Losses;

[TestClass]
public sealed class HalfPrecisionLossTests
{
    // bfloat16 has 8 bits: a softmax in it would miss a loss of 5 nats by a hundredth.
    [TestMethod]
    public void The_softmax_of_half_precision_logits_is_taken_in_float32()
    {
        using var scope = NewDisposeScope();
        using Generator generator = new(3);
        Tensor hidden = (randn(12, 8, generator: generator) * 3).to(bfloat16), head = randn(200, 8, generator: generator).to(bfloat16);
        Tensor targets = randint(200, [12], dtype: int64, generator: generator);
        Tensor expected = nn.functional.cross_entropy(nn.functional.linear(hidden, head).to(float32), targets, reduction: nn.Reduction.None);

        LossSum loss = new LinearCrossEntropy().Backward(
            new TokenTargets(hidden, head, targets, Weights: null, 12), new TokenGradients(zeros_like(hidden), zeros(200, 8), 1));

        Assert.IsLessThan(1e-6, Ragged.RelativeError(new LinearCrossEntropy().PerToken(hidden, head, targets), expected));
        Assert.AreEqual(expected.sum().ToDouble(), loss.Sum.ToDouble(), 1e-6 * loss.Sum.ToDouble());
    }

    // CASES 35. Liger #1329: the gradient of a confident target is softmax minus one; where the softmax is rounded to bfloat16 first, it is 1, and the gradient 0.
    // Seen to fail with: the softmax rounded before one is subtracted.
    [TestMethod]
    public void The_gradient_of_a_confident_target_is_taken_in_float32_before_it_is_rounded()
    {
        using var scope = NewDisposeScope();
        Tensor hidden = ones(1, 1, dtype: bfloat16), head = tensor(new float[] { 7, 0, 0 }).view(3, 1).to(bfloat16), targets = zeros(1, dtype: int64);
        double probability = Math.Exp(7) / (Math.Exp(7) + 2);
        Assert.AreEqual(1, tensor(probability).to(bfloat16).ToDouble(), "the control: bfloat16 does not tell it from 1");

        Tensor hiddenGradient = zeros_like(hidden), headGradient = zeros(3, 1);
        new LinearCrossEntropy().Backward(new TokenTargets(hidden, head, targets, Weights: null, 1), new TokenGradients(hiddenGradient, headGradient, 1));

        Assert.AreEqual(probability - 1, headGradient[0, 0].ToDouble(), 0.004 * (1 - probability));
        Assert.AreEqual((1 - probability) / 2, headGradient[2, 0].ToDouble(), 0.004 * (1 - probability));
        Assert.AreEqual(7 * (probability - 1), hiddenGradient.ToDouble(), 0.008 * 7 * (1 - probability));
    }
}
