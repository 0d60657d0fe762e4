using System.Text.Json;
using Samples.Jobs;
using Samples.Text;
using Spectre.Console;

namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class PreferCommandTests
{
    [TestMethod]
    [DataRow("dpo", "beta 0.2, label smoothing 0, likelihood weight 0.5", "--likelihood-weight", "0.5")]
    [DataRow("kto", "beta 0.2")]
    public void A_model_that_train_saved_is_trained_on_pairs_and_measured_before_and_after(string method, string coefficients, params string[] more)
    {
        using TemporaryFolder folder = new();
        string rows = Train(folder);
        (int exitCode, string output, string error) = CommandLine.Run(["prefer", "--model", Path.Combine(folder["trained"], "model.zip"), "--data", rows, "--steps", "12", "--batch-size", "4",
            "--method", method, "--beta", "0.2", "--learning-rate", "3e-3", "--evaluation-pairs", "5", "--output", folder["out"], "--json", folder["report.json"], .. more]);

        Assert.AreEqual((0, ""), (exitCode, error));
        JsonElement report = JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(folder["report.json"]));
        Assert.AreEqual(0, report.GetProperty("before").GetProperty("rewardMargin").GetDouble());
        Assert.IsGreaterThan(0, report.GetProperty("after").GetProperty("rewardMargin").GetDouble());
        Assert.IsGreaterThan(0, report.GetProperty("after").GetProperty("meanLength").GetDouble());
        StringAssert.Contains(report.GetProperty("method").GetString(), coefficients);
        StringAssert.Contains(output, "mean length written");
        CollectionAssert.IsSubsetOf(new[] { "metrics.json", "model.zip" }, Directory.GetFiles(folder["out"]).Select(file => Path.GetFileName(file)).ToArray());
        Assert.AreEqual(0, CommandLine.Run("evaluate", "--model", Path.Combine(folder["out"], "model.zip"), "--data", rows).ExitCode);
    }

    [TestMethod]
    public void A_likelihood_weight_is_for_DPO()
    {
        (int exitCode, _, string error) = CommandLine.Run("prefer", "--method", "simpo", "--likelihood-weight", "1");
        Assert.AreEqual(2, exitCode);
        StringAssert.Contains(error, "--likelihood-weight needs --method dpo.");
    }

    // While texts are written before the training, before its first step, and after it.
    [TestMethod]
    [DataRow("pairs to train on", 0)]
    [DataRow("Before: ", 0)]
    [DataRow("step 1 ", 1)]
    public void A_stop_keeps_the_model_so_far_where_a_step_was_taken_and_leaves_nothing_else(string sign, int steps)
    {
        using TemporaryFolder folder = new();
        PreferSettings settings = new() { ModelFile = Path.Combine(folder["trained"], "model.zip"), DataFile = Train(folder), OutputFolder = folder["out"], Steps = 1000, BatchSize = 2, EvaluationPairs = 2 };
        using CancellationTokenSource stop = new();
        using StoppingWriter output = new(sign, stop);
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output) });
        PreferJob job = new(settings, console, CancellationToken.None, stop.Token);
        if (steps > 0)
            Assert.AreEqual(steps, job.Run().Steps);
        else
            Assert.ThrowsExactly<OperationCanceledException>(job.Run);
        Assert.AreEqual(steps > 0, File.Exists(Path.Combine(folder["out"], "model.zip")));
        Assert.AreEqual(steps > 0, Directory.Exists(folder["out"]));
        Assert.AreEqual(sign != "pairs to train on", output.ToString().Contains("Training stops after the current step"), output.ToString());
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

    private static string Train(TemporaryFolder folder)
    {
        string rows = folder.Write("rows.jsonl", string.Concat(Enumerable.Range(0, 60).Select(i => JsonSerializer.Serialize(new { prompt = $"M:{i % 7}", completion = $"Gets the value {i}. More of it." }) + "\n")));
        Assert.AreEqual(0, CommandLine.TrainTiny(rows, folder["trained"]).ExitCode);
        return rows;
    }
}
