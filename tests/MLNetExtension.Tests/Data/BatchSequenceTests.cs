using MLNetExtension.Data;

namespace MLNetExtension.Tests.Data;

[TestClass]
public sealed class BatchSequenceTests
{
    private static readonly TokenExample[] Rows = Ragged.Examples(10);

    [TestMethod]
    public void While_a_batch_is_in_use_the_next_is_loaded_and_no_other()
    {
        List<int> loaded = [];
        IEnumerator<Batch> batches = Sequence().StartAt(2, batch => loaded.Add(batch.Step)).GetEnumerator();
        Assert.IsTrue(batches.MoveNext());
        Assert.AreEqual(2, batches.Current.Step);
        batches.Dispose();    // waits for what is being loaded

        CollectionAssert.AreEqual(new[] { 2, 3 }, loaded);
    }

    [TestMethod]
    public void What_fails_while_a_batch_is_loaded_is_thrown_where_that_batch_is_due()
    {
        using IEnumerator<Batch> batches = Sequence().StartAt(0, batch =>
        {
            if (batch.Step == 2)
                throw new IOException("cannot be read");
        }).GetEnumerator();
        Assert.IsTrue(batches.MoveNext());
        Assert.IsTrue(batches.MoveNext());
        Assert.AreEqual(1, batches.Current.Step);
        Assert.AreEqual("cannot be read", Assert.ThrowsExactly<IOException>(() => batches.MoveNext()).Message);
    }

    [TestMethod]
    public void A_batch_that_nobody_asks_for_may_fail()
    {
        using IEnumerator<Batch> batches = Sequence().StartAt(0, batch =>
        {
            if (batch.Step == 1)
                throw new IOException("cannot be read");
        }).GetEnumerator();
        Assert.IsTrue(batches.MoveNext());
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(2)]
    [DataRow(3)]
    [DataRow(7)]
    public void Batches_are_a_function_of_seed_and_step(int firstStep)
    {
        long[][] all = [.. Sequence().StartAt(0).Take(9).Select(Positions)], rest = [.. Sequence().StartAt(firstStep).Take(9 - firstStep).Select(Positions)];
        Assert.AreEqual(string.Join(" | ", all[firstStep..].Select(rows => string.Join(' ', rows))), string.Join(" | ", rest.Select(rows => string.Join(' ', rows))));
        CollectionAssert.AreEquivalent(Rows.Select(row => row.Position).ToArray(), all[..3].SelectMany(rows => rows).ToArray());
    }

    private static BatchSequence Sequence() => new(Rows, EpochDivision.ByRows(Rows.Length, 4), new EpochSampler(Rows.Length, seed: 3));

    private static long[] Positions(Batch batch) => [.. batch.Examples.Select(row => row.Position)];
}
