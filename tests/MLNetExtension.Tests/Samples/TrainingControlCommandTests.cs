using System.Text.Json;
using Samples.Errors;
using Samples.Text;

namespace MLNetExtension.Tests.Samples;

/// <summary>The options of <c>train</c> about batches, the order of rows, evaluations and checkpoints.</summary>
[TestClass]
public sealed class TrainingControlCommandTests
{
    [TestMethod]
    public void A_training_takes_them_all_and_a_later_limit_extends_it()
    {
        using TemporaryFolder folder = new();
        string data = folder.Write("rows.csv", "prompt,completion,hard\n" + string.Concat(Enumerable.Range(0, 40).Select(i => $"Number {i},and so on{new string('!', i % 5)},{(i * 7) % 40 / 2.0}\n")));
        string[] options =
        [
            "--batch-tokens", "100", "--order-by", "HARD", "--order-epochs", "1", "--prompt-weight", "0.5", "--validation-fraction", "0.2", "--validation-interval", "0.5epochs",
            "--checkpoint", folder["checkpoints"], "--checkpoint-interval", "2", "--checkpoints-kept", "3", "--restart-if-damaged", "--micro-batch-tokens", "64",
        ];
        Assert.AreEqual(6, Steps("6"));
        CollectionAssert.AreEqual(new[] { "step-0000000002", "step-0000000004", "step-0000000006" }, CheckpointsOf(folder));
        Assert.AreEqual(3, Steps("9"));
        CollectionAssert.AreEqual(new[] { "step-0000000006", "step-0000000008", "step-0000000009" }, CheckpointsOf(folder));

        // Every step is an event of its own; the tags say what was reported.
        string events = System.Text.Encoding.UTF8.GetString(File.ReadAllBytes(Directory.GetFiles(folder["out"], "events*").Single()));
        foreach (string tag in (string[])["batch/rows", "batch/target_tokens", "batch/target_weight", "batch/order_value", "validation/loss", "checkpoint/step"])
            Assert.Contains(tag, events);

        int Steps(string steps)
        {
            (int exitCode, _, string error) = CommandLine.TrainTiny(data, folder["out"], ["--steps", steps, .. options]);
            Assert.AreEqual((0, ""), (exitCode, error));
            JsonElement metrics = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder["out"], "metrics.json"))).RootElement, settings = metrics.GetProperty("settings");
            Assert.AreEqual((100, 0.5, "Ascending in the first epoch"), (settings.GetProperty("batchTokens").GetInt32(), settings.GetProperty("promptWeight").GetDouble(), settings.GetProperty("rowOrder").GetString()));
            return metrics.GetProperty("steps").GetInt32();
        }
    }

    [TestMethod]
    [DataRow("rows.tsv", "text\tlevel\nb\t2\na\t1.5\n")]
    [DataRow("rows.jsonl", "{\"text\":\"b\",\"level\":2}\n{\"text\":\"a\",\"level\":1.5}\n")]
    public void The_column_of_an_order_is_read_from_any_file_with_columns(string name, string content)
    {
        using TemporaryFolder folder = new();
        CollectionAssert.AreEqual(new[] { 2, 1.5 }, RowFile.Read(folder.Write(name, content), new RowColumns(Order: "level")).Rows.Select(row => row.Order).ToArray());
    }

    [TestMethod]
    [DataRow("rows.csv", "text,level\na,1\nb,easy\n", "row 2 (line 3) has 'easy' in 'level' where a number is expected.")]
    [DataRow("rows.csv", "text,level\na,NaN\n", "has 'NaN' in 'level' where a number is expected.")]
    [DataRow("rows.jsonl", "{\"text\":\"a\",\"level\":\"1\"}\n", "row 1 has a string in 'level' where a number is expected.")]
    [DataRow("rows.jsonl", "{\"text\":\"a\",\"level\":1}\n{\"text\":\"b\"}\n", "row 2 has no 'level'.")]
    [DataRow("rows.txt", "a\n", "has no columns to choose")]
    public void A_value_that_is_no_number_is_refused_with_its_row(string name, string content, string expected)
    {
        using TemporaryFolder folder = new();
        Assert.Contains(expected, Assert.ThrowsExactly<UserErrorException>(() => RowFile.Read(folder.Write(name, content), new RowColumns(Order: "level"))).Message);
    }

    [TestMethod]
    public void The_documentation_has_no_column_to_order_by() =>
        Assert.Contains("--order-by names a column of --data", Assert.ThrowsExactly<UserErrorException>(() => RowFile.ReadOrDocumentation(null, new RowColumns(Order: "level"))).Message);

    // A share of 0 is what no option says.
    [TestMethod]
    public void No_rows_are_held_out_for_a_share_of_0_and_batches_are_of_rows_or_of_tokens()
    {
        using TemporaryFolder folder = new();
        string data = folder.WritePrompts("rows.jsonl");
        (int exitCode, _, string error) = CommandLine.TrainTiny(data, folder["out"], "--steps", "1", "--validation-fraction", "0");
        Assert.AreEqual((0, ""), (exitCode, error));
        Assert.IsFalse(JsonDocument.Parse(File.ReadAllText(Path.Combine(folder["out"], "metrics.json"))).RootElement.TryGetProperty("validationLoss", out _));
        (exitCode, _, error) = CommandLine.TrainTiny(data, folder["out"], "--batch-size", "4", "--batch-tokens", "100");
        Assert.AreEqual(2, exitCode);
        Assert.Contains("--batch-tokens cannot be combined with --batch-size.", error);
    }

    private static string[] CheckpointsOf(TemporaryFolder folder) => [.. Directory.GetDirectories(folder["checkpoints"]).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
}
