using MLNetExtension.Data;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Preference;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Preference;

/// <summary>trl #6024, ms-swift #10117, verl #5625: an extra division by the micro-batches, weights by samples; trl #6439: what the loss did not see was counted.</summary>
[TestClass]
public sealed class PreferenceLawTests
{
    public static IEnumerable<string> Methods => Preferences.Methods.Keys;

    [TestMethod]
    [DynamicData(nameof(Methods))]
    public void Any_split_of_pairs_gives_loss_and_gradient_of_autograd_on_the_full_batch(string method)
    {
        for (int seed = 0; seed < 6; seed++)
        {
            using var scope = NewDisposeScope();
            TokenExample[] rows = Preferences.Rows(pairs: 1 + seed, seed, weighted: seed % 2 == 1);
            (double expectedLoss, Tensor expected) = Preferences.FullBatch(method, rows);
            Assert.IsGreaterThan(1e-4, expected.norm().ToDouble(), "there is a gradient to compare");
            GradientSettings settings = new() { Pack = seed % 3 == 0, Recompute = seed % 4 == 1 };
            (BatchLoss loss, PreferenceSums sums, Tensor gradient) = Preferences.TwoPasses(method, rows, trained => Preferences.Anyhow(trained, seed), settings, workers: 1 + seed % 3);

            Assert.IsLessThan(1e-12, Ragged.RelativeError(gradient, expected), $"seed {seed}");
            Assert.AreEqual(expectedLoss, sums.Loss / sums.Pairs, 1e-12 * expectedLoss);
            Assert.AreEqual(sums.Pairs, loss.TargetCount, 1e-12);
            Assert.AreEqual(rows.Where((_, i) => i % 2 == 0).Sum(row => row.Weight), sums.Pairs, 1e-12);
        }
    }

    // A pair of which a row has no target after truncation is as if it were not there, in the gradient and in what that is divided by.
    [TestMethod]
    [DataRow("dpo")]
    [DataRow("orpo")]
    [DataRow("kto")]
    public void A_pair_with_a_row_without_targets_counts_nothing(string method)
    {
        using var scope = NewDisposeScope();
        TokenExample[] rows = Preferences.Rows(pairs: 4);
        TokenExample empty = Ragged.WithoutTargets(5);
        TokenExample[] more = [.. rows[..4], rows[0], empty, .. rows[4..], empty, rows[1], empty, empty];
        (BatchLoss loss, _, Tensor gradient) = Preferences.TwoPasses(method, more, trained => Ragged.Split(trained, 3));
        Assert.AreEqual(4, loss.TargetCount);
        Assert.IsLessThan(1e-12, Ragged.RelativeError(gradient, Preferences.FullBatch(method, rows).Gradient));
    }

    // The control: means over micro-batches of pairs, averaged.
    [TestMethod]
    [DynamicData(nameof(Methods))]
    public void The_mean_of_micro_batches_means_is_another_gradient(string method)
    {
        using var scope = NewDisposeScope();
        TokenExample[] rows = Preferences.Rows(pairs: 5);
        int rowsOfPair = method == "kto" ? 1 : 2;
        IReadOnlyList<IReadOnlyList<TokenExample>> Uneven(IReadOnlyList<TokenExample> trained) => [[.. trained.Take(rowsOfPair)], [.. trained.Skip(rowsOfPair)]];
        Tensor expected = Preferences.FullBatch(method, rows).Gradient;
        GradientSettings means = new() { Normalization = LossNormalization.MicroBatchMean };
        Assert.IsGreaterThan(1e-3, Ragged.RelativeError(Preferences.TwoPasses(method, rows, Uneven, means).Gradient, expected));
        Assert.IsLessThan(1e-12, Ragged.RelativeError(Preferences.TwoPasses(method, rows, Uneven).Gradient, expected));
    }

    // What a weight of one sign would hide: that rows of negative weight reach the gradient.
    [TestMethod]
    public void Rejected_rows_alone_in_a_micro_batch_are_not_skipped()
    {
        using var scope = NewDisposeScope();
        TokenExample[] rows = Preferences.Rows(pairs: 3);
        IReadOnlyList<IReadOnlyList<TokenExample>> Apart(IReadOnlyList<TokenExample> trained) => [[.. trained.Where((_, i) => i % 2 == 1)], [.. trained.Where((_, i) => i % 2 == 0)]];
        (BatchLoss loss, _, Tensor gradient) = Preferences.TwoPasses("dpo", rows, Apart);
        Assert.AreEqual(2, loss.MicroBatches);
        Assert.IsLessThan(1e-12, Ragged.RelativeError(gradient, Preferences.FullBatch("dpo", rows).Gradient));
    }
}
