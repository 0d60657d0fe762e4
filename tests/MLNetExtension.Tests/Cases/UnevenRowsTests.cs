using MLNetExtension.Data;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training.Accumulation;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Cases;

/// <summary>Rows of unequal length in one batch: the case that the whole matter began with.</summary>
[TestClass]
public sealed class UnevenRowsTests
{
    // transformers #24725: with two micro-batches an 11-token and a 101-token sample weighed the same, so a token of the short one counted ninefold.
    // Seen to fail with: the policy ignored; a division by the micro-batches; one target too many for each of them.
    [TestMethod]
    [DataRow(LossNormalization.Token)]
    [DataRow(LossNormalization.MicroBatchMean)]
    public void A_token_of_an_11_token_row_weighs_what_one_of_a_101_token_row_does(LossNormalization normalization)
    {
        using var scope = NewDisposeScope();
        Random random = new(8);
        TokenExample shorter = Ragged.Example(random, 11, 0, masked: 0), longer = Ragged.Example(random, 101, 1, masked: 0);

        (Tensor together, BatchLoss whole) = Gradient(normalization, [[shorter, longer]]);
        (Tensor apart, BatchLoss split) = Gradient(normalization, [[shorter], [longer]]);
        (Tensor shortMean, _) = Gradient(normalization, [[shorter]]);
        (Tensor longMean, _) = Gradient(normalization, [[longer]]);

        Assert.AreEqual(112, split.TargetCount);
        Assert.AreEqual(whole.Mean, split.Mean, 1e-12 * whole.Mean);
        if (normalization == LossNormalization.Token)
        {
            Assert.IsLessThan(1e-12, Ragged.RelativeError(apart, together));
            Assert.IsLessThan(1e-12, Ragged.RelativeError(together, shortMean * (11.0 / 112) + longMean * (101.0 / 112)));
        }
        else
        {
            Assert.IsGreaterThan(0.1, Ragged.RelativeError(apart, together), "the control: the mean of means is another gradient");
            Assert.IsLessThan(1e-12, Ragged.RelativeError(apart, (shortMean + longMean) / 2));
        }
    }

    // llm.c and nanoGPT divide by the micro-batches, which is exact only where every position is a target and every row is full.
    // Seen to fail with: the policy ignored. The control has every position a target: there a division by positions or rows would pass, too.
    [TestMethod]
    [DataRow(0.0, DisplayName = "every position a target")]
    [DataRow(0.7, DisplayName = "most targets masked")]
    public void Rows_of_one_length_are_exact_however_many_of_their_targets_are_masked(double masked)
    {
        using var scope = NewDisposeScope();
        Random random = new(9);
        TokenExample[] batch = [.. Enumerable.Range(0, 6).Select(row => Ragged.Example(random, 16, row, masked))];
        Tensor expected = Ragged.FullBatch(batch).Gradient;

        double error = Ragged.RelativeError(Ragged.Accumulate(Ragged.Split(batch, 2)).Gradient, expected);
        double control = Ragged.RelativeError(Ragged.Accumulate(Ragged.Split(batch, 2), LossNormalization.MicroBatchMean).Gradient, expected);

        Assert.IsLessThan(1e-12, error);
        Assert.AreEqual(masked == 0, control < 1e-12);
    }

    private static (Tensor Gradient, BatchLoss Loss) Gradient(LossNormalization normalization, IReadOnlyList<IReadOnlyList<TokenExample>> microBatches)
    {
        using Gpt2Model model = new(new Gpt2Configuration(Ragged.Vocabulary, ContextLength: 101, Layers: 1, Heads: 2, Width: 8), seed: 2);
        model.to(ScalarType.Float64);
        using BatchGradient gradient = new(model, new GradientSettings { Normalization = normalization });
        BatchLoss loss = gradient.Accumulate(microBatches);
        return (gradient.Parameters.Gradients.clone(), loss);
    }
}
