using System.Text.Json;
using Samples.Text;

namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class PreferCommandTests
{
    [TestMethod]
    [DataRow("dpo")]
    [DataRow("kto")]
    public void A_model_that_train_saved_is_trained_on_pairs_and_measured_before_and_after(string method)
    {
        using TemporaryFolder folder = new();
        string rows = folder.Write("rows.jsonl", string.Concat(Enumerable.Range(0, 60).Select(i => JsonSerializer.Serialize(new { prompt = $"M:{i % 7}", completion = $"Gets the value {i}. More of it." }) + "\n")));
        Assert.AreEqual(0, CommandLine.TrainTiny(rows, folder["trained"]).ExitCode);
        (int exitCode, string output, string error) = CommandLine.Run("prefer", "--model", Path.Combine(folder["trained"], "model.zip"), "--data", rows, "--steps", "12", "--batch-size", "4",
            "--method", method, "--beta", "0.2", "--learning-rate", "3e-3", "--evaluation-pairs", "5", "--output", folder["out"], "--json", folder["report.json"]);

        Assert.AreEqual((0, ""), (exitCode, error));
        JsonElement report = JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(folder["report.json"]));
        Assert.AreEqual(0, report.GetProperty("before").GetProperty("rewardMargin").GetDouble());
        Assert.IsGreaterThan(0, report.GetProperty("after").GetProperty("rewardMargin").GetDouble());
        Assert.IsGreaterThan(0, report.GetProperty("after").GetProperty("meanLength").GetDouble());
        StringAssert.Contains(report.GetProperty("method").GetString(), "beta 0.2");
        StringAssert.Contains(output, "mean length written");
        CollectionAssert.IsSubsetOf(new[] { "metrics.json", "model.zip" }, Directory.GetFiles(folder["out"]).Select(file => Path.GetFileName(file)).ToArray());
        Assert.AreEqual(0, CommandLine.Run("evaluate", "--model", Path.Combine(folder["out"], "model.zip"), "--data", rows).ExitCode);
    }

    [TestMethod]
    public void Without_a_model_the_error_says_to_train_one_first()
    {
        using TemporaryFolder folder = new();
        (int exitCode, _, string error) = CommandLine.Run("prefer", "--model", folder["model.zip"], "--output", folder["out"]);
        Assert.AreEqual(2, exitCode);
        StringAssert.Contains(error, "does not exist: run train first");
    }

    [TestMethod]
    [DataRow("Gets a value that is known. It may be null.", "Gets a value that is known.")]
    [DataRow("Represents e.g. a thing of the model. Not more.", "Represents e.g. a thing of the model.")]
    [DataRow("Only one sentence is here.", null)]
    [DataRow("See System.Text.Json for it, version 1.2 at least.", null)]
    public void The_shorter_summary_is_the_first_sentence_of_several(string summary, string? first)
    {
        IReadOnlyList<PreferencePair> pairs = PreferencePairs.Of([new Row("M:X\n", summary)]);
        Assert.AreEqual(first, pairs.SingleOrDefault()?.Completion);
        Assert.IsTrue(pairs.All(pair => pair.Rejected == summary && pair.Prompt == "M:X\n"));
    }
}
