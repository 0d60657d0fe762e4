using System.Collections.Concurrent;
using MLNetExtension.Data;
using MLNetExtension.Data.Store;
using MLNetExtension.Tests.Tokenization;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tests.Data.Store;

[TestClass]
public sealed class RowEncodingTests
{
    private const int Context = 20;

    public static IEnumerable<string> Tokenizers => TestTokenizers.Names;

    [TestMethod]
    [DynamicData(nameof(Tokenizers))]
    public void Rows_encoded_on_all_processors_are_those_encoded_one_by_one_in_order(string tokenizer)
    {
        TokenExampleEncoder encoder = new(TestTokenizers.Load(tokenizer), Context);
        RowContent[] rows = [.. Enumerable.Range(0, 5000).Select(i => new RowContent.Text(Text(i), i % 7 == 0 ? 0 : 1 + i % 3))];
        TokenExample[] expected = [.. rows.Select((row, i) => encoder.Encode(row, i)).Where(example => example.HasTargets)];

        using RowEncoding encoding = new(encoder, new() { IsHeldOut = IsHeldOut }, CancellationToken.None);
        encoding.Run(rows);
        (TokenStore kept, RowCounts keptCounts) = encoding.Kept.Complete();
        (TokenStore heldOut, RowCounts heldOutCounts) = encoding.HeldOut.Complete();

        AssertEqual(expected.Where(example => !IsHeldOut(example.Position)), kept);
        AssertEqual(expected.Where(example => IsHeldOut(example.Position)), heldOut);
        RowCounts all = keptCounts + heldOutCounts;
        Assert.AreEqual((5000L, 715L, 0L), (all.Rows, all.WithoutWeight, all.WithoutTargets));
        Assert.AreEqual(expected.Count(example => example.WasTruncated), all.Truncated);
        Assert.AreEqual(expected.Sum(example => (long)example.TargetCount), all.TargetTokens);
    }

    // A later group may fail first, and so may the reader, which is ahead.
    [TestMethod]
    [DataRow(3000, 1500, 4500, "Row 1500 has the token id 999")]
    [DataRow(4000, 4999, 1499, "row 1500 cannot be read")]
    [DataRow(1400, 4999, 1499, "Row 1400 has the token id 999")]
    [DataRow(3, 4999, 10, "Row 3 has the token id 999")]
    public void An_error_is_that_of_the_first_row_that_has_one(int bad, int alsoBad, int lastRead, string expected)
    {
        using RowEncoding encoding = new(new(new ByteLevelTokenizer(), Context), new(), CancellationToken.None);
        InvalidOperationException error = Assert.ThrowsExactly<InvalidOperationException>(() => encoding.Run(Rows()));
        StringAssert.StartsWith(error.Message, expected);

        IEnumerable<RowContent> Rows()
        {
            for (int i = 0; i < 5000; i++)
            {
                if (i > lastRead)
                    throw new InvalidOperationException($"row {i} cannot be read");
                yield return new RowContent.TokenIds([1, i == bad || i == alsoBad ? 999 : 2], true, true, 1);
            }
        }
    }

    [TestMethod]
    public void Few_rows_are_encoded_by_the_calling_thread() => CollectionAssert.AreEqual(new[] { Environment.CurrentManagedThreadId }, ThreadsOf(new ByteLevelTokenizer(), 300));

    // A tokenizer of a user's own need not allow several threads.
    [TestMethod]
    public void A_tokenizer_of_a_users_own_is_used_by_the_calling_thread() => CollectionAssert.AreEqual(new[] { Environment.CurrentManagedThreadId }, ThreadsOf(new OwnTokenizer(), 5000));

    // The control of the two above: the first rows of two groups wait for each other.
    [TestMethod]
    public void Many_rows_are_encoded_by_several_threads()
    {
        if (Environment.ProcessorCount == 1)
            return;
        using CountdownEvent both = new(2);
        StoreSettings settings = new()
        {
            IsHeldOut = position =>
            {
                if (position is 0 or 1024)
                {
                    both.Signal();
                    Assert.IsTrue(both.Wait(TimeSpan.FromSeconds(30)), "another group is encoded at the same time");
                }
                return false;
            },
        };
        using RowEncoding encoding = new(new(new ByteLevelTokenizer(), Context), settings, CancellationToken.None);
        encoding.Run(Texts(5000));
    }

    [TestMethod]
    public void Progress_is_told_with_the_rows_so_far()
    {
        List<long> told = [];
        StoreSettings settings = new() { OnProgress = (rows, _) => told.Add(rows), ProgressInterval = TimeSpan.Zero };
        using RowEncoding encoding = new(new(new ByteLevelTokenizer(), Context), settings, CancellationToken.None);
        encoding.Run(Texts(5000));

        Assert.AreEqual(5000, told[^1]);
        CollectionAssert.AreEqual(told.Order().Distinct().ToArray(), told);
        Assert.IsGreaterThan(3, told.Count);
    }

    [TestMethod]
    public void Reading_ends_with_the_row_where_it_is_cancelled_and_leaves_nothing_running()
    {
        using CancellationTokenSource source = new();
        int read = 0;
        RowEncoding encoding = new(new(new ByteLevelTokenizer(), Context), new(), source.Token);
        Assert.ThrowsExactly<OperationCanceledException>(() => encoding.Run(Texts(1_000_000).Select(row =>
        {
            if (++read == 10_000)
                source.Cancel();
            return row;
        })));
        encoding.Dispose();
        Assert.AreEqual(10_000, read);
    }

    [TestMethod]
    public void What_is_read_ahead_is_bounded()
    {
        long encoded = 0, ahead = 0, read = 0;
        StoreSettings settings = new()
        {
            IsHeldOut = _ =>
            {
                Interlocked.Increment(ref encoded);
                return false;
            },
        };
        using RowEncoding encoding = new(new(new ByteLevelTokenizer(), Context), settings, CancellationToken.None);
        encoding.Run(Texts(100_000).Select(row =>
        {
            ahead = Math.Max(ahead, ++read - Interlocked.Read(ref encoded));
            return row;
        }));
        Assert.IsLessThanOrEqualTo(1024 * (2 * Environment.ProcessorCount + 2), ahead);
    }

    private static int[] ThreadsOf(ILanguageTokenizer tokenizer, int rows)
    {
        ConcurrentDictionary<int, bool> threads = new();
        StoreSettings settings = new() { IsHeldOut = _ => !threads.TryAdd(Environment.CurrentManagedThreadId, true) && false };
        using RowEncoding encoding = new(new(tokenizer, Context), settings, CancellationToken.None);
        encoding.Run(Texts(rows));
        return [.. threads.Keys];
    }

    private static IEnumerable<RowContent> Texts(int rows) => Enumerable.Range(0, rows).Select(i => new RowContent.Text(Text(i), 1));

    private static string Text(int i) => string.Concat(Enumerable.Repeat("the fox ", i % 11)) + i;

    private static bool IsHeldOut(long position) => position % 10 == 3;

    private static void AssertEqual(IEnumerable<TokenExample> expected, TokenStore found)
    {
        TokenExample[] rows = [.. expected];
        Assert.HasCount(rows.Length, found);
        foreach ((TokenExample row, TokenExample stored) in rows.Zip(found))
        {
            CollectionAssert.AreEqual(row.Ids, stored.Ids);
            CollectionAssert.AreEqual(row.Targets, stored.Targets);
            Assert.AreEqual((row.Position, row.Weight, row.TargetBytes, row.WasTruncated), (stored.Position, stored.Weight, stored.TargetBytes, stored.WasTruncated));
        }
    }
}
