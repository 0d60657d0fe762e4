using Microsoft.ML;
using MLNetExtension.Data;
using MLNetExtension.MLNet.Schema;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tests.MLNet.Schema;

[TestClass]
public sealed class RowReaderTests
{
    private sealed class PromptRow
    {
        public string Prompt { get; set; } = "";

        public string Completion { get; set; } = "";
    }

    // A step that is not finite is reported with the rows of the data that it held: numbers must count rows that are left out, too.
    [TestMethod]
    public void Rows_keep_their_numbers_where_rows_without_a_target_are_left_out()
    {
        IDataView data = new MLContext(seed: 1).Data.LoadFromEnumerable<PromptRow>(
        [
            new() { Prompt = "p", Completion = "first" },
            new() { Prompt = "a prompt that fills the context", Completion = "never seen" },
            new() { Prompt = "", Completion = "a completion longer than that" },
        ]);
        TokenExampleEncoder encoder = new(new ByteLevelTokenizer(), contextLength: 10);

        using RowReaderResult result = RowReader.ReadSplit(data, InputColumns.PromptCompletion("Prompt", "Completion"), encoder, new(), CancellationToken.None).Kept;

        CollectionAssert.AreEqual(new long[] { 0, 2 }, result.Examples.Select(e => e.Position).ToArray());
        Assert.AreEqual((3L, 1L, 1L, 6L + 10), (result.Counts.Rows, result.Counts.WithoutTargets, result.Counts.Truncated, result.Counts.TargetTokens));
    }
}
