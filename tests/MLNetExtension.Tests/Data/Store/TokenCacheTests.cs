using MLNetExtension.Data;
using MLNetExtension.Data.Store;
using MLNetExtension.MLNet.Schema;
using MLNetExtension.Tests.MLNet;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tests.Tokenization;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;
using Microsoft.ML;

namespace MLNetExtension.Tests.Data.Store;

[TestClass]
public sealed class TokenCacheTests
{
    private static readonly string[] Texts = [.. Enumerable.Range(0, 60).Select(i => string.Concat(Enumerable.Repeat("the fox ", i % 9)) + i)];

    // Every row is asked about when it is encoded, so how often that was says whether it was.
    private int _encoded;

    [TestMethod]
    public void Rows_that_are_there_are_not_encoded_again_and_are_the_same()
    {
        using TemporaryFolder folder = new();
        Read first = ReadRows(folder.Path), second = ReadRows(folder.Path), without = ReadRows(null);

        Assert.AreEqual((60, 0), (first.Encoded, second.Encoded));
        Assert.AreEqual(without.Content, first.Content);
        Assert.AreEqual(without.Content, second.Content);
        Assert.HasCount(2, folder.Names);
        Assert.IsTrue(folder.Names.All(name => name.EndsWith(".tokens")), string.Join(", ", folder.Names));
    }

    public static IEnumerable<object[]> Differences =>
    [
        ["a letter", (Func<TokenCacheTests, string?, Read>)((test, folder) => test.ReadRows(folder, [.. Texts[..^1], Texts[^1] + "."]))],
        ["a row less", (Func<TokenCacheTests, string?, Read>)((test, folder) => test.ReadRows(folder, Texts[..^1]))],
        ["the order", (Func<TokenCacheTests, string?, Read>)((test, folder) => test.ReadRows(folder, [.. Texts.Reverse()]))],
        ["where a row ends", (Func<TokenCacheTests, string?, Read>)((test, folder) => test.ReadRows(folder, [Texts[0] + Texts[1][..1], Texts[1][1..], .. Texts[2..]]))],
        ["the context", (Func<TokenCacheTests, string?, Read>)((test, folder) => test.ReadRows(folder, context: 21))],
        ["long rows", (Func<TokenCacheTests, string?, Read>)((test, folder) => test.ReadRows(folder, longRows: LongRows.Truncate))],
        ["what is held out", (Func<TokenCacheTests, string?, Read>)((test, folder) => test.ReadRows(folder, heldOut: 3))],
        ["the tokenizer", (Func<TokenCacheTests, string?, Read>)((test, folder) => test.ReadRows(folder, tokenizer: Golden.Tokenizer("gpt2")))],
        ["another tokenizer of the kind", (Func<TokenCacheTests, string?, Read>)((test, folder) => test.ReadRows(folder, tokenizer: Golden.Tokenizer("qwen2")))],
        ["the columns", (Func<TokenCacheTests, string?, Read>)((test, folder) => test.ReadRows(folder, columns: InputColumns.PromptCompletion("Text", "Text")))],
        ["weights", (Func<TokenCacheTests, string?, Read>)((test, folder) => test.ReadRows(folder, columns: InputColumns.Text(weight: "Number")))],
    ];

    // Wrong rows would be the worst that a cache can give.
    [TestMethod]
    [DynamicData(nameof(Differences))]
    public void Whatever_differs_is_encoded_anew(string what, object read)
    {
        using TemporaryFolder folder = new();
        ReadRows(folder.Path);
        ReadRows(folder.Path, tokenizer: Golden.Tokenizer("llama3"));
        var readOther = (Func<TokenCacheTests, string?, Read>)read;

        Read other = readOther(this, folder.Path);
        Assert.IsGreaterThan(0, other.Encoded, what);
        Assert.AreEqual(readOther(this, null).Content, other.Content, what);
        Assert.AreEqual(0, readOther(this, folder.Path).Encoded, "and kept too");
    }

    [TestMethod]
    [DataRow("a byte")]
    [DataRow("a byte of the index")]
    [DataRow("a byte of the footer")]
    [DataRow("its end")]
    [DataRow("everything")]
    [DataRow("other rows")]
    public void A_file_that_is_damaged_is_a_warning_and_written_anew(string lost)
    {
        using TemporaryFolder folder = new();
        Read whole = ReadRows(folder.Path);
        string path = folder[folder.Names.Single(name => name.EndsWith("-kept.tokens"))];
        byte[] bytes = File.ReadAllBytes(path);
        if (lost == "a byte")
            bytes[40] ^= 1;
        else if (lost == "a byte of the index")
            bytes[^(System.Runtime.CompilerServices.Unsafe.SizeOf<CacheFooter>() + 30)] ^= 1;
        else if (lost == "a byte of the footer")
            bytes[^100] ^= 1;
        else if (lost == "its end")
            bytes = bytes[..^1];
        else if (lost == "everything")
            bytes = [];
        else
            bytes = OtherRows();
        File.WriteAllBytes(path, bytes);

        Read again = ReadRows(folder.Path), third = ReadRows(folder.Path);
        Assert.AreEqual((60, whole.Content), (again.Encoded, again.Content));
        Assert.ContainsSingle(line => line.Contains(path) && line.Contains("encoded anew"), again.Warnings);
        Assert.AreEqual((0, whole.Content), (third.Encoded, third.Content));
        Assert.IsEmpty(third.Warnings);
    }

    [TestMethod]
    public void The_file_of_a_process_that_was_killed_is_deleted_and_that_of_one_that_lives_is_not()
    {
        using TemporaryFolder folder = new();
        folder.Write($"killed{TokenCache.Unfinished}", "half");
        using CacheFile living = new(folder.Path);
        string[] before = folder.Names;
        ReadRows(folder.Path);

        Assert.DoesNotContain($"killed{TokenCache.Unfinished}", folder.Names);
        Assert.ContainsSingle(name => before.Contains(name), folder.Names);
    }

    [TestMethod]
    public void A_tokenizer_of_a_users_own_class_is_not_trusted_to_be_the_same_again()
    {
        using TemporaryFolder folder = new();
        Read first = ReadRows(folder.Path, tokenizer: new OwnTokenizer()), second = ReadRows(folder.Path, tokenizer: new OwnTokenizer());
        Assert.AreEqual((60, 60), (first.Encoded, second.Encoded));
        Assert.ContainsSingle(line => line.Contains("class OwnTokenizer"), first.Warnings);
        Assert.IsEmpty(folder.Names);
    }

    [TestMethod]
    public void Several_trainings_may_use_one_folder_at_a_time()
    {
        using TemporaryFolder folder = new();
        string expected = ReadRows(null).Content;
        Parallel.For(0, 8, i => Assert.AreEqual(expected, new TokenCacheTests().ReadRows(folder.Path).Content));
        Assert.HasCount(2, folder.Names);
    }

    [TestMethod]
    public void A_folder_that_cannot_be_used_is_one_error_that_names_the_option()
    {
        using TemporaryFolder folder = new();
        string file = folder.Write("file", "x");
        IOException error = Assert.ThrowsExactly<IOException>(() => ReadRows(file));
        StringAssert.Contains(error.Message, file);
        StringAssert.Contains(error.Message, "TokenCacheFolder");
    }

    [TestMethod]
    public void Rows_that_were_not_read_to_the_end_are_not_kept()
    {
        using TemporaryFolder folder = new();
        using CancellationTokenSource source = new();
        StoreSettings settings = new()
        {
            CacheFolder = folder.Path,
            IsHeldOut = _ =>
            {
                source.Cancel();
                return false;
            },
        };
        IDataView data = Tiny.Rows(new MLContext(seed: 1), Enumerable.Repeat("text", 10));
        Assert.ThrowsExactly<OperationCanceledException>(() => RowReader.ReadSplit(data, InputColumns.Text(), new(new ByteLevelTokenizer(), 8), settings, source.Token));
        Assert.IsEmpty(folder.Names);
    }

    private static byte[] OtherRows()
    {
        using TemporaryFolder folder = new();
        new TokenCacheTests().ReadRows(folder.Path, [.. Texts.Reverse()]);
        return File.ReadAllBytes(folder[folder.Names.Single(name => name.EndsWith("-kept.tokens"))]);
    }

    private Read ReadRows(
        string? folder, string[]? texts = null, int context = 20, LongRows longRows = LongRows.Split, int heldOut = 7, ILanguageTokenizer? tokenizer = null, InputColumns? columns = null)
    {
        _encoded = 0;
        List<string> warnings = [];
        StoreSettings settings = new()
        {
            CacheFolder = folder,
            OnWarning = warnings.Add,
            HeldOutBy = $"{heldOut}",
            IsHeldOut = position =>
            {
                Interlocked.Increment(ref _encoded);
                return position % heldOut == 2;
            },
        };
        IDataView data = Tiny.Rows(new MLContext(seed: 1), texts ?? Texts);
        TokenExampleEncoder encoder = new(tokenizer ?? new ByteLevelTokenizer(), context, longRows);
        (RowReaderResult kept, RowReaderResult held) = RowReader.ReadSplit(data, columns ?? InputColumns.Text(), encoder, settings, CancellationToken.None);
        using (kept)
        using (held)
            return new Read($"{Describe(kept)}\n\n{Describe(held)}", _encoded, warnings);
    }

    private static string Describe(RowReaderResult rows) => rows.Counts + "\n" + string.Join('\n', rows.Examples.Select(row =>
        $"{row.Position} {row.Weight} {row.TargetBytes} {row.WasTruncated}: {string.Join(' ', row.Ids)} > {string.Join(' ', row.Targets)}"));

    internal sealed record Read(string Content, int Encoded, List<string> Warnings);
}
