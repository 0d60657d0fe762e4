using MLNetExtension.Data;
using TorchSharp;

namespace MLNetExtension.Tests.Data;

[TestClass]
public sealed class MicroBatchTests
{
    [TestMethod]
    public void A_split_holds_every_row_with_targets_once_and_keeps_to_the_budget()
    {
        TokenExample[] batch = [.. Ragged.Examples(40), Ragged.WithoutTargets(9)];
        IReadOnlyList<IReadOnlyList<TokenExample>> microBatches = MicroBatchPlanner.Split(batch, maximumTokens: 60);

        CollectionAssert.AreEquivalent(batch.Where(e => e.TargetCount > 0).ToArray(), microBatches.SelectMany(group => group).ToArray());
        foreach (IReadOnlyList<TokenExample> group in microBatches)
            Assert.IsLessThanOrEqualTo(60, group.Count * group.Max(e => e.Length));
        Assert.IsGreaterThanOrEqualTo(1, microBatches.Count(group => group.Count > 1));
    }

    [TestMethod]
    public void A_row_longer_than_the_budget_stands_alone() =>
        Assert.HasCount(3, MicroBatchPlanner.Split([.. Enumerable.Range(0, 3).Select(row => Ragged.Example(new Random(1), 20, row))], maximumTokens: 10));

    [TestMethod]
    public void Grouping_rows_of_like_length_pads_less_than_taking_them_as_they_come()
    {
        TokenExample[] batch = Ragged.Examples(32);
        double grouped = MicroBatchPlanner.PaddingShare(MicroBatchPlanner.Split(batch, maximumTokens: 96));
        double asTheyCome = MicroBatchPlanner.PaddingShare(Ragged.Split(batch, 4));
        Assert.IsLessThan(asTheyCome / 2, grouped);
    }

    [TestMethod]
    public void Padding_share_is_the_share_of_positions_that_no_row_has()
    {
        Random random = new(1);
        TokenExample[] group = [Ragged.Example(random, 8, 0), Ragged.Example(random, 4, 1)];
        Assert.AreEqual(4.0 / 16, MicroBatchPlanner.PaddingShare([group]), 1e-15);
        Assert.AreEqual(0, MicroBatchPlanner.PaddingShare([]));
    }

    [TestMethod]
    public void Rows_are_padded_right_and_targets_named_by_their_positions()
    {
        TokenExample shorter = new([5, 6], [6, 7], 2, 0), longer = new([1, 2, 3], [TokenExample.IgnoredTarget, 3, 4], 2, 1);
        using MicroBatch batch = MicroBatch.Collate([shorter, longer], torch.CPU);

        CollectionAssert.AreEqual(new long[] { 2, 3 }, batch.Ids.shape);
        CollectionAssert.AreEqual(new long[] { 5, 6, 0, 1, 2, 3 }, batch.Ids.data<long>().ToArray());
        CollectionAssert.AreEqual(new long[] { 0, 1, 4, 5 }, batch.TargetPositions.data<long>().ToArray());
        CollectionAssert.AreEqual(new long[] { 6, 7, 3, 4 }, batch.Targets.data<long>().ToArray());
        Assert.AreEqual(4, batch.TargetCount);
    }
}
