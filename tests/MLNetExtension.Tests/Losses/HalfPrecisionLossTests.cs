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
            new TokenTargets(hidden, head, targets, Weights: null, 12), new TokenGradients(zeros_like(hidden), zeros_like(head), 1));

        Assert.IsLessThan(1e-6, Ragged.RelativeError(new LinearCrossEntropy().PerToken(hidden, head, targets), expected));
        Assert.AreEqual(expected.sum().ToDouble(), loss.Sum.ToDouble(), 1e-6 * loss.Sum.ToDouble());
    }
}
