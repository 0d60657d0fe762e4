using MLNetExtension.Data;
using MLNetExtension.Data.Store;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tests.Data.Store;

[TestClass]
public sealed class StoredPairTests
{
    [TestMethod]
    public void Both_rows_of_a_pair_are_stored_or_none_and_counted_as_one_row()
    {
        TokenExampleEncoder encoder = new(new ByteLevelTokenizer(), contextLength: 8);
        using RowEncoding encoding = new(encoder, new StoreSettings(), CancellationToken.None);
        encoding.Run(
        [
            new RowContent.Pair("ab", "cd", "e", PairKind.Compared, 0.5),
            new RowContent.Pair("a prompt that fills the context", "cd", "e", PairKind.Compared, 1),
            new RowContent.Pair("ab", "a completion that does not fit", "", PairKind.Undesirable, 1),
            new RowContent.Pair("ab", "c", "d", PairKind.Desirable, 0),
        ]);
        using StoredRowsOwner stored = new(encoding.Kept.Complete());
        TokenExample[] rows = [.. stored.Rows.Store];

        CollectionAssert.AreEqual(new[] { (0, 0L, 3, 0.5, false), (1, 0L, 2, 0.5, false), (2, 2L, 6, 1.0, true), (3, 2L, 1, 1.0, false) },
            rows.Select(row => (row.Number, row.Position, row.TargetCount, row.Weight, row.IsUndesirable)).ToArray());
        // Of the row without a pair, the other completion's token is not trained on.
        Assert.AreEqual(new RowCounts { Rows = 4, WithoutTargets = 1, WithoutWeight = 1, Truncated = 1, TargetTokens = 3 + 2 + 6 }, stored.Rows.Counts);
    }

    private sealed record StoredRowsOwner(StoredRows Rows) : IDisposable
    {
        public void Dispose() => Rows.Store.Dispose();
    }
}
