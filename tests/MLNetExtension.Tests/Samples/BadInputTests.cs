namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class BadInputTests
{
    [TestMethod]
    [DataRow("rows.csv", "", "is empty")]
    [DataRow("rows.csv", "text\n", "is empty")]
    [DataRow("rows.txt", "\n \n", "all 2 are empty")]
    [DataRow("rows.txt", "only\nthree\nrows\n", "has 3 rows")]
    [DataRow("rows.csv", "id,body\n1,a\n", "column 'text'")]
    [DataRow("rows.jsonl", "{\"body\":\"a\"}\n", "column 'text'")]
    [DataRow("rows.csv", "id,text\n1,a\n2\n", "row 2 (line 3) has 1 field, the header has 2")]
    [DataRow("rows.csv", "id,text\n1,\"a\nb\"\n2,c,d\n", "row 2 (line 4) has 3 fields")]
    [DataRow("rows.csv", "id,text\n1,\"a\n", "row 1 (line 2) begins a quoted field that never ends")]
    [DataRow("rows.tsv", "id\ttext\n1\t\"a\"b\n", "row 1 (line 2) has text behind the closing quotation mark")]
    [DataRow("rows.jsonl", "{\"text\":\"a\"}\n\n{\"text\":7}\n", "row 3 has a number in 'text'")]
    [DataRow("rows.jsonl", "{\"text\":\"a\"}\n{\"text\":null}\n", "row 2 has a null in 'text'")]
    [DataRow("rows.jsonl", "{\"text\":\"a\"}\n{\"other\":\"b\"}\n", "row 2 has no 'text'")]
    [DataRow("rows.jsonl", "{\"text\":\"a\"}\n{\"text\":\n", "row 2 is not a JSON object")]
    [DataRow("rows.jsonl", "[\"a\"]\n", "row 1 is a JSON array")]
    [DataRow("rows.jsonl", "{\"text\":\"\\ud83d\"}\n", "row 1 has half of a surrogate pair")]
    [DataRow("rows.txt", "a\nb\0c\n", "row 2 holds a NUL character")]
    public void A_row_that_cannot_be_used_gets_one_line_and_leaves_nothing(string name, string content, string expected)
    {
        using TemporaryFolder folder = new();
        AssertRefused(folder, folder.Write(name, content), expected);
    }

    [TestMethod]
    [DataRow("rows.txt", "good\nbad ", 2)]
    [DataRow("rows.csv", "text\ngood\nbad ", 2)]
    [DataRow("rows.jsonl", "{\"text\":\"good\"}\n{\"text\":\"bad ", 2)]
    public void Bytes_that_are_no_UTF8_are_refused_with_their_row(string name, string before, int row)
    {
        using TemporaryFolder folder = new();
        string file = folder.Write(name, [.. System.Text.Encoding.UTF8.GetBytes(before), 0xC3, (byte)'(', (byte)'\n']);
        AssertRefused(folder, file, $"row {row}");
    }

    [TestMethod]
    public void A_missing_file_and_a_folder_are_refused()
    {
        using TemporaryFolder folder = new();
        AssertRefused(folder, folder["nothing.csv"], "does not exist");
        Directory.CreateDirectory(folder["rows.csv"]);
        AssertRefused(folder, folder["rows.csv"], "is a folder");
    }

    [TestMethod]
    public void Columns_of_a_text_file_are_refused()
    {
        using TemporaryFolder folder = new();
        AssertRefused(folder, folder.Write("rows.txt", "a\nb\n"), "has no columns to choose", "--prompt-column", "a");
    }

    [TestMethod]
    [DataRow("--loss-normalization", "mean", "'Token' 'MicroBatchMean' 'Sum'")]
    [DataRow("--device", "gpu", "cpu, cuda or cuda:N")]
    [DataRow("--batch-size", "0", "at least 1")]
    [DataRow("--steps", "-1", "at least 1")]
    [DataRow("--minutes", "0", "above 0")]
    [DataRow("--learning-rate", "x", "'--learning-rate'")]
    [DataRow("--learning-rate", "0", "above 0")]
    [DataRow("--weight-decay", "-0.1", "at least 0")]
    [DataRow("--minutes", "x", "above 0")]
    [DataRow("--neftune", "-1", "above 0")]
    [DataRow("--ema", "1", "from 0 to below 1")]
    [DataRow("--swa", "0", "above 0 and at most 1")]
    [DataRow("--dropout", "1", "from 0 to below 1")]
    [DataRow("--validation-fraction", "1", "below 1")]
    [DataRow("--patience", "2", "needs --validation-fraction")]
    [DataRow("--validation-interval", "0", "--validation-interval is '0'; allowed is a whole number of steps of at least 1, or a number of epochs above 0")]
    [DataRow("--checkpoint-interval", "0epochs", "a number of epochs above 0")]
    [DataRow("--checkpoint-interval", "1.5", "a whole number of steps")]
    [DataRow("--checkpoints-kept", "0", "at least 1")]
    [DataRow("--batch-tokens", "0", "at least 1")]
    [DataRow("--prompt-weight", "1.5", "from 0 to 1")]
    [DataRow("--order-epochs", "1", "needs --order-by")]
    [DataRow("--order-by", "difficulty", "no column 'difficulty'")]
    [DataRow("--heads", "3", "a divisor of Width")]
    [DataRow("--json", "no/such/folder/report.json", "does not exist")]
    public void A_value_that_is_not_allowed_gets_one_line_with_what_is(string option, string value, string expected)
    {
        using TemporaryFolder folder = new();
        string data = folder.WritePrompts("rows.jsonl");
        (int exitCode, _, string error) = CommandLine.Run("train", "--data", data, "--output", folder["out"], option, value);
        AssertOneLine(exitCode, error, expected);
        CollectionAssert.AreEqual(new[] { "rows.jsonl" }, folder.Names);
    }

    private static void AssertRefused(TemporaryFolder folder, string file, string expected, params string[] more)
    {
        string[] before = folder.Names;
        (int exitCode, _, string error) = CommandLine.TrainTiny(file, folder["deep/out"], [.. more, "--json", folder["report.json"]]);
        AssertOneLine(exitCode, error, expected);
        StringAssert.Contains(error, file);
        CollectionAssert.AreEqual(before, folder.Names);
    }

    private static void AssertOneLine(int exitCode, string error, string expected)
    {
        Assert.AreEqual(2, exitCode, error);
        StringAssert.Contains(error, expected);
        Assert.HasCount(1, error.TrimEnd().Split('\n'));
    }
}
