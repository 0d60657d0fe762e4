using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Training.Accumulation;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Losses;

/// <summary>Cross entropy as a user would write it, beside the built-in one: whatever the library does to a loss, it does to both alike.</summary>
[TestClass]
public sealed class CustomCrossEntropyTests
{
    // transformers #36331, unsloth #8261: a custom loss cannot see the number of targets, or is silently scaled by the number of micro-batches.
    // Seen to fail with: the mean of means' scale left out of a custom loss, or put on its sum; the count of the last chunk for that of all; weights withheld, or those
    // of the first chunk handed to every chunk; gradients of a later chunk put where the first one's are; the head's gradient left out.
    [TestMethod]
    [DataRow(LossNormalization.Token)]
    [DataRow(LossNormalization.MicroBatchMean)]
    [DataRow(LossNormalization.Sum)]
    public void A_custom_cross_entropy_is_the_built_in_one_under_every_normalization(LossNormalization normalization)
    {
        using var scope = NewDisposeScope();
        Random random = new(5);
        TokenExample[] batch = [.. Enumerable.Range(0, 7).Select(row => Ragged.Example(random, random.Next(1, 25), row, weight: random.Next(1, 4) / 2.0))];
        (BatchLoss expected, Tensor expectedGradient) = Ragged.Accumulate(Ragged.Split(batch, 3), normalization);

        CustomTokenLoss ofLogits = CustomTokenLoss.OfLogits((logits, targets, weights) => Sum(logits, targets, weights), chunkTokens: 5);
        CustomTokenLoss ofHidden = CustomTokenLoss.OfHidden((hidden, head, targets) => Sum(nn.functional.linear(hidden, head), targets.Targets, targets.Weights));
        foreach (CustomTokenLoss loss in new[] { ofLogits, ofHidden })
        {
            (BatchLoss actual, Tensor gradient) = Ragged.Accumulate(Ragged.Split(batch, 3), normalization, loss: loss);
            Assert.AreEqual(expected.Sum, actual.Sum, 1e-12 * expected.Sum);
            Assert.AreEqual(expected.TargetCount, actual.TargetCount, 1e-12 * expected.TargetCount);
            Assert.AreEqual(expected.Objective, actual.Objective, 1e-12 * expected.Objective);
            Assert.IsLessThan(1e-12, Ragged.RelativeError(gradient, expectedGradient));
        }
    }

    // Seen to fail with: no hits reported as hits of 0.
    [TestMethod]
    public void Where_a_custom_loss_counts_no_hits_the_accuracy_is_not_a_number()
    {
        CustomTokenLoss loss = CustomTokenLoss.OfLogits((logits, targets, weights) => Sum(logits, targets, weights));
        BatchLoss batch = Ragged.Accumulate(Ragged.Split(Ragged.Examples(2), 1), loss: loss).Loss;
        Assert.IsTrue(double.IsNaN(batch.Accuracy));
        Assert.IsTrue(batch.IsFinite);
    }

    private static LossSum Sum(Tensor logits, Tensor targets, Tensor? weights)
    {
        Tensor losses = nn.functional.cross_entropy(logits, targets, reduction: nn.Reduction.None);
        return weights is null ? new LossSum(losses.sum(), targets.shape[0]) : new LossSum((losses * weights).sum(), weights.sum().ToDouble());
    }
}
