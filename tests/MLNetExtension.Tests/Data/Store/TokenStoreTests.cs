using System.Runtime.CompilerServices;
using MLNetExtension.Data;
using MLNetExtension.Data.Store;
using MLNetExtension.Tests.Samples;

namespace MLNetExtension.Tests.Data.Store;

[TestClass]
public sealed class TokenStoreTests
{
    [TestMethod]
    [DataRow(65_536, 1L << 30)]
    [DataRow(65_536, 0L)]
    [DataRow(65_537, 1L << 30)]
    [DataRow(65_537, 5_000L)]
    public void Rows_come_back_as_they_were_from_memory_and_from_a_file(int vocabulary, long memoryLimit)
    {
        TokenExample[] rows = DrawRows(400, vocabulary);
        using TemporaryFolder folder = new();
        using TokenStore store = Build(rows, vocabulary, memoryLimit, folder.Path);

        Assert.HasCount(rows.Length, store);
        Parallel.For(0, 4, _ =>
        {
            foreach ((TokenExample expected, TokenExample found) in rows.Zip(store))
                AssertEqual(expected, found);
        });
        AssertEqual(rows[399], store[399]);
        AssertEqual(rows[7], store[7]);
    }

    // Ranks deal rows by their lengths, and read their own alone.
    [TestMethod]
    public void Lengths_are_known_before_anything_is_read()
    {
        TokenExample[] rows = DrawRows(20, 300);
        Watched bytes = new();
        using TokenStore store = Build(rows, 300, bytes);

        TokenExample[] found = [.. store];
        foreach ((TokenExample expected, TokenExample example) in rows.Zip(found))
            Assert.AreEqual((expected.Length, expected.TargetCount, true), (example.Length, example.TargetCount, example.HasTargets));
        Assert.AreEqual(0, bytes.Reads);

        Assert.AreEqual((rows[3].Weight, rows[3].Position), (found[3].Weight, found[3].Position));
        CollectionAssert.AreEqual(rows[3].Ids, found[3].Ids);
        Assert.AreEqual(1, bytes.Reads, "a row is read once");
    }

    [TestMethod]
    public void A_row_in_memory_takes_16_bytes_beside_its_ids() => Assert.AreEqual(16, Unsafe.SizeOf<RowEntry>());

    [TestMethod]
    [DataRow(65_536, 2)]
    [DataRow(65_537, 4)]
    public void Ids_take_two_bytes_where_the_vocabulary_allows_it(int vocabulary, int bytesPerId)
    {
        Watched bytes = new();
        using TokenStore store = Build([new TokenExample(new int[1000], [.. new int[1000]], 1000, 0)], vocabulary, bytes);
        Assert.AreEqual(1001.0 * bytesPerId, bytes.Length, 8);
    }

    [TestMethod]
    [OSCondition(ConditionMode.Exclude, OperatingSystems.Windows)]
    public void The_temporary_file_has_no_name_so_that_it_is_gone_however_the_process_ends()
    {
        using TemporaryFolder folder = new();
        TokenExample[] rows = DrawRows(50, 300);
        using TokenStore store = Build(rows, 300, memoryLimit: 0, folder.Path);

        Assert.IsEmpty(folder.Names);
        AssertEqual(rows[49], store[49]);
    }

    [TestMethod]
    public void A_file_that_cannot_be_made_is_one_error_that_names_the_option()
    {
        using TemporaryFolder folder = new();
        IOException error = Assert.ThrowsExactly<IOException>(() => Build(DrawRows(5, 300), 300, memoryLimit: 0, folder["missing"]));
        StringAssert.Contains(error.Message, folder["missing"]);
        StringAssert.Contains(error.Message, "TokenCacheFolder");
    }

    [TestMethod]
    public void A_file_that_is_cut_short_is_an_error_and_no_row_of_zeros()
    {
        using TemporaryFolder folder = new();
        using FileBytes bytes = FileBytes.Create(folder["tokens"]);
        TokenExample[] rows = DrawRows(50, 300);
        using TokenStore store = Build(rows, 300, bytes);
        using (FileStream file = new(folder["tokens"], FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            file.SetLength(bytes.Length / 2);

        AssertEqual(rows[0], store[0]);
        StringAssert.Contains(Assert.ThrowsExactly<IOException>(() => store[49].Ids).Message, "cannot be read");
    }

    [TestMethod]
    public void A_target_that_is_not_the_next_token_is_refused() =>
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => Build([new TokenExample([1, 2, 3], [2, 9, 4], 3, 17)], 300, new Watched())).Message, "Row 17");

    private static TokenStore Build(TokenExample[] rows, int vocabulary, long memoryLimit, string folder) =>
        Complete(rows, vocabulary, new MemoryBytes(), memoryLimit, folder);

    private static TokenStore Build(TokenExample[] rows, int vocabulary, IStoredBytes bytes) => Complete(rows, vocabulary, bytes, 0, "");

    // In groups, as they are encoded.
    private static TokenStore Complete(TokenExample[] rows, int vocabulary, IStoredBytes bytes, long memoryLimit, string folder)
    {
        int bytesPerId = StoredRow.BytesPerId(vocabulary);
        using TokenStoreBuilder builder = new(bytes, bytesPerId, memoryLimit, folder);
        foreach (TokenExample[] group in rows.Chunk(17))
        {
            using EncodedRows encoded = new(bytesPerId);
            foreach (TokenExample row in group)
                encoded.Add(row);
            builder.Append(encoded);
        }
        return builder.Complete().Store;
    }

    private static TokenExample[] DrawRows(int count, int vocabulary)
    {
        Random random = new(3);
        return [.. Enumerable.Range(0, count).Select(row =>
        {
            int length = row % 97 == 5 ? 30_000 : random.Next(1, 40);
            double masked = random.Next(3) * 0.3;
            int[] tokens = [.. Enumerable.Range(0, length + 1).Select(_ => random.Next(10) == 0 ? vocabulary - 1 : random.Next(vocabulary))];
            int[] targets = [.. tokens[1..].Select((token, t) => random.NextDouble() < masked && t > 0 ? TokenExample.IgnoredTarget : token)];
            return new TokenExample(tokens[..^1], targets, random.Next(1000), row * 3_000_000_000L, row % 5 == 0, row % 3 == 0 ? random.NextDouble() + 0.1 : 1);
        })];
    }

    private static void AssertEqual(TokenExample expected, TokenExample found)
    {
        CollectionAssert.AreEqual(expected.Ids, found.Ids);
        CollectionAssert.AreEqual(expected.Targets, found.Targets);
        Assert.AreEqual(
            (expected.Length, expected.TargetCount, expected.TargetBytes, expected.Position, expected.WasTruncated, expected.Weight, expected.HasTargets),
            (found.Length, found.TargetCount, found.TargetBytes, found.Position, found.WasTruncated, found.Weight, found.HasTargets));
    }

    private sealed class Watched : IStoredBytes
    {
        private readonly MemoryBytes _bytes = new();
        private int _reads;

        public int Reads => _reads;

        public long Length => _bytes.Length;

        public void Append(ReadOnlySpan<byte> bytes) => _bytes.Append(bytes);

        public void Read(long offset, Span<byte> bytes)
        {
            Interlocked.Increment(ref _reads);
            _bytes.Read(offset, bytes);
        }

        public void Dispose() => _bytes.Dispose();
    }
}
