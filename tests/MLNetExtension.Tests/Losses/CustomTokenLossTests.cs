using MLNetExtension.Data;
using MLNetExtension.Losses;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Losses;

/// <summary>transformers #36331, unsloth #8261: a custom loss could not see the number of targets, or was silently scaled.</summary>
/// <remarks>Seen to fail with: the count of the last chunk for that of all; the head's gradient left out; a later chunk's gradient put where the first one's is.</remarks>
[TestClass]
public sealed class CustomTokenLossTests
{
    // Cross entropy written by a user: the law makes it the full batch's, whatever the split.
    [TestMethod]
    [DataRow(8)]
    [DataRow(1)]
    public void A_custom_loss_of_logits_obeys_the_law(int rows)
    {
        using var scope = NewDisposeScope();
        TokenExample[] batch = Ragged.Examples();
        (double expectedLoss, Tensor expected) = Ragged.FullBatch(batch);

        CustomTokenLoss loss = CustomTokenLoss.OfLogits(
            (logits, targets, _) => new LossSum(nn.functional.cross_entropy(logits, targets, reduction: nn.Reduction.Sum), targets.shape[0]), chunkTokens: 5);
        var (batchLoss, gradient) = Ragged.Accumulate(Ragged.Split(batch, rows), loss: loss);

        Assert.AreEqual(expectedLoss, batchLoss.Mean, 1e-12 * expectedLoss);
        Assert.IsLessThan(1e-12, Ragged.RelativeError(gradient, expected));
    }

    // A loss of hidden states alone: it leaves the head without a gradient.
    [TestMethod]
    public void A_custom_loss_of_hidden_states_gives_the_same_gradient_for_every_split()
    {
        using var scope = NewDisposeScope();
        TokenExample[] batch = Ragged.Examples();
        CustomTokenLoss loss = CustomTokenLoss.OfHidden((hidden, _, targets) => new LossSum(hidden.pow(3).sum(), targets.TargetCount));

        Tensor whole = Ragged.Accumulate(Ragged.Split(batch, 8), loss: loss).Gradient;
        Tensor rowByRow = Ragged.Accumulate(Ragged.Split(batch, 1), loss: loss).Gradient;

        Assert.IsGreaterThan(0, whole.norm().ToDouble());
        Assert.IsLessThan(1e-12, Ragged.RelativeError(rowByRow, whole));
    }
}
