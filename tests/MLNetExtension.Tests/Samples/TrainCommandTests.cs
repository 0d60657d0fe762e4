using System.Text.Json;
using System.Xml.Linq;
using Samples.Commands;

namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class TrainCommandTests
{
    [TestMethod]
    public void A_training_writes_model_metrics_curve_and_events_and_nothing_else()
    {
        using TemporaryFolder folder = new();
        (int exitCode, string output, string error) = CommandLine.TrainTiny(folder.WritePrompts("rows.jsonl"), folder["out"], "--json", folder["report.json"]);

        Assert.AreEqual((0, ""), (exitCode, error));
        CollectionAssert.AreEqual(new[] { "out", "report.json", "rows.jsonl" }, folder.Names);
        string[] names = [.. Directory.GetFiles(folder["out"]).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal)];
        Assert.AreEqual(4, names.Length, string.Join(", ", names));
        StringAssert.StartsWith(names[0], "events.out.tfevents");
        CollectionAssert.AreEqual(new[] { "loss-curve.html", "metrics.json", "model.zip" }, names[1..]);
        Assert.AreEqual(File.ReadAllText(folder["report.json"]), File.ReadAllText(Path.Combine(folder["out"], "metrics.json")));
        StringAssert.Contains(output, "bits per byte");
        StringAssert.Contains(output, "100%");
        Assert.AreEqual(3, output.Split("prompt:").Length - 1, "three samples");
    }

    [TestMethod]
    public void Long_texts_are_split_unless_they_are_to_be_truncated()
    {
        using TemporaryFolder folder = new();
        string data = folder.Write("rows.txt", string.Concat(Enumerable.Range(0, 40).Select(i => $"Line {i} of a text that is much longer than the context of the model that is trained on it\n")));
        (int exitCode, string split, string error) = CommandLine.TrainTiny(data, folder["split"]);
        Assert.AreEqual((0, ""), (exitCode, error));
        string truncated = CommandLine.TrainTiny(data, folder["truncated"], "--long-rows", "truncate").Output;

        Assert.DoesNotContain("are truncated to 48 tokens", split);
        StringAssert.Contains(truncated, "are truncated to 48 tokens");
    }

    [TestMethod]
    public void The_metrics_file_holds_the_metrics_and_the_package_versions()
    {
        using TemporaryFolder folder = new();
        CommandLine.TrainTiny(folder.WritePrompts("rows.jsonl"), folder["out"]);

        JsonElement metrics = ReadMetrics(folder["out"]);
        foreach (string when in (string[])["before", "after", "reloaded"])
        {
            JsonElement part = metrics.GetProperty(when);
            double loss = part.GetProperty("loss").GetDouble();
            Assert.AreEqual(Math.Exp(loss), part.GetProperty("perplexity").GetDouble(), 1e-6 * Math.Exp(loss));
            Assert.IsGreaterThan(0, part.GetProperty("bitsPerByte").GetDouble());
            Assert.IsGreaterThan(0, part.GetProperty("tokens").GetInt64());
        }
        Assert.AreEqual(Math.Log(257), Loss(metrics, "before"), 0.3, "an untrained model predicts uniformly");
        Assert.IsLessThan(Loss(metrics, "before"), Loss(metrics, "after"));
        Assert.AreEqual(Loss(metrics, "after"), Loss(metrics, "reloaded"), 1e-5);
        Assert.AreEqual(6, metrics.GetProperty("steps").GetInt32());
        Assert.IsGreaterThan(0, metrics.GetProperty("targetTokens").GetInt64());
        Assert.IsGreaterThan(0, metrics.GetProperty("targetTokensPerSecond").GetDouble());
        Assert.IsGreaterThan(0, metrics.GetProperty("peakMemoryMiB").GetDouble());
        foreach (string package in (string[])["Microsoft.ML", "Microsoft.ML.Tokenizers", "TorchSharp", "libtorch"])
            Assert.MatchesRegex(@"^\d+\.\d+\.\d+$", metrics.GetProperty("packages").GetProperty(package).GetString());
    }

    [TestMethod]
    public void The_curve_page_is_well_formed_and_needs_nothing_from_outside()
    {
        using TemporaryFolder folder = new();
        CommandLine.TrainTiny(folder.WritePrompts("a<b>&c.jsonl"), folder["out"]);

        ReportPage page = ReportPage.Read(Path.Combine(folder["out"], "loss-curve.html"));
        StringAssert.Contains(page.Body.Value, "a<b>&c.jsonl", "the name of the data is text, not markup");
        page.AssertSelfContained();
        double[][][] charts = page.Charts;
        CollectionAssert.AreEqual(
            new[] { 3, 1, 1, 1, 1, 2 }, charts.Select(chart => chart.Length).ToArray(), "loss, smoothed loss and held-out loss; learning rate; gradient norm; tokens per second; utilization; memory and its peak");
        double[] heldOut = charts[0][2];
        Assert.HasCount(2, heldOut, "held-out loss before and after");
        Assert.IsTrue(charts.SelectMany(lines => lines).Where(values => values != heldOut).All(values => values.Length == 6), "a point for every step");
        Assert.IsTrue(page.Links.All(file => File.Exists(Path.Combine(folder["out"], file))));
        CollectionAssert.AreEquivalent(new[] { "metrics.json", "model.zip" }, page.Links.ToArray());
    }

    // One sees the model learn: the same prompts before the first step and at each validation, whose losses are in the chart.
    [TestMethod]
    public void The_report_shows_what_the_model_wrote_at_each_validation()
    {
        using TemporaryFolder folder = new();
        CommandLine.TrainTiny(folder.WritePrompts("rows.jsonl"), folder["out"], "--validation-fraction", "0.2");

        ReportPage page = ReportPage.Read(Path.Combine(folder["out"], "loss-curve.html"));
        Assert.HasCount(4, page.Charts[0], "each step, smoothed, validation, held out");
        Assert.HasCount(1, page.Charts[0][2], "the last step is validated");
        XElement[] tables = [.. page.Root.Descendants("table").Where(table => table.Element("caption") is not null)];
        Assert.HasCount(3, tables, "three prompts");
        foreach (XElement table in tables)
            CollectionAssert.AreEqual(new[] { "0", "6" }, table.Element("tbody")!.Elements("tr").Select(row => row.Elements("td").First().Value).ToArray());
    }

    [TestMethod]
    public void The_same_seed_gives_the_same_metrics_however_a_batch_is_split_and_another_normalization_does_not()
    {
        using TemporaryFolder folder = new();
        string data = folder.WritePrompts("rows.jsonl");
        double After(string name, params string[] more)
        {
            Assert.AreEqual((0, ""), CommandLine.TrainTiny(data, folder[name], more) is var (code, _, error) ? (code, error) : default);
            return Loss(ReadMetrics(folder[name]), "after");
        }

        double whole = After("whole", "--micro-batch-tokens", "4096");
        Assert.AreEqual(whole, After("split", "--micro-batch-tokens", "1"), 1e-5);
        Assert.AreNotEqual(whole, After("other", "--micro-batch-tokens", "1", "--loss-normalization", "MicroBatchMean"), 1e-5);
        Assert.AreNotEqual(whole, After("seed", "--seed", "2"), 1e-5);
    }

    [TestMethod]
    public void Options_take_effect_and_a_csv_is_trained_on_the_named_column()
    {
        using TemporaryFolder folder = new();
        string data = folder.Write("rows.csv", "id,body\n" + string.Concat(Enumerable.Range(0, 30).Select(i => $"{i},\"text, number {i}\"\n")));

        (int exitCode, string output, string error) = CommandLine.TrainTiny(data, folder["out"], "--text-column", "body", "--batch-size", "4", "--evaluation-rows", "2", "--micro-batch-tokens", "77");

        Assert.AreEqual((0, ""), (exitCode, error));
        StringAssert.Contains(output, "30 from rows.csv");
        JsonElement metrics = ReadMetrics(folder["out"]);
        Assert.AreEqual(4, metrics.GetProperty("settings").GetProperty("batchSize").GetInt32());
        Assert.AreEqual(77, metrics.GetProperty("settings").GetProperty("microBatchTokens").GetInt32());
        Assert.AreEqual("Token", metrics.GetProperty("settings").GetProperty("lossNormalization").GetString());
        Assert.AreEqual(2, metrics.GetProperty("after").GetProperty("rows").GetInt64());
    }

    // Inverse to the width above 128: decided by the library, and reported as it was used.
    [TestMethod]
    [DataRow(0.0015, 0.1, "--width", "256")]
    [DataRow(0.003, 0.1)]
    [DataRow(0.02, 0.0, "--learning-rate", "0.02", "--weight-decay", "0")]
    public void Learning_rate_and_weight_decay_are_reported_as_they_were_used(double learningRate, double weightDecay, params string[] more)
    {
        using TemporaryFolder folder = new();
        Assert.AreEqual(0, CommandLine.TrainTiny(folder.WritePrompts("rows.jsonl"), folder["out"], ["--steps", "1", .. more]).ExitCode);
        JsonElement settings = ReadMetrics(folder["out"]).GetProperty("settings");
        Assert.AreEqual((learningRate, weightDecay), (settings.GetProperty("learningRate").GetDouble(), settings.GetProperty("weightDecay").GetDouble()));
    }

    [TestMethod]
    public void Validation_rows_are_held_out_and_patience_stops_a_training_that_no_longer_improves()
    {
        using TemporaryFolder folder = new();
        string data = folder.WritePrompts("rows.jsonl");
        JsonElement Train(string name, params string[] more)
        {
            (int exitCode, _, string error) = CommandLine.TrainTiny(data, folder[name], ["--learning-rate", "10", .. more]);
            Assert.AreEqual((0, ""), (exitCode, error));
            return ReadMetrics(folder[name]);
        }

        // At such a rate trials of splits, which round differently, would make each run another one.
        JsonElement stopped = Train("stopped", "--micro-batch-tokens", "64", "--steps", "1000", "--validation-fraction", "0.3", "--validation-interval", "5", "--patience", "1");
        Assert.IsLessThan(1000, stopped.GetProperty("steps").GetInt32());
        Assert.IsLessThanOrEqualTo(stopped.GetProperty("steps").GetInt32(), stopped.GetProperty("bestStep").GetInt32());
        Assert.IsGreaterThan(0, stopped.GetProperty("validationLoss").GetDouble());
        JsonElement plain = Train("plain", "--steps", "3");
        Assert.IsFalse(plain.TryGetProperty("validationLoss", out _));
    }

    [TestMethod]
    public void A_number_of_epochs_ends_a_training()
    {
        using TemporaryFolder folder = new();
        (int exitCode, _, string error) = CommandLine.TrainTiny(folder.WritePrompts("rows.jsonl"), folder["out"], "--epochs", "2", "--batch-size", "10");

        Assert.AreEqual((0, ""), (exitCode, error));
        JsonElement metrics = ReadMetrics(folder["out"]);
        Assert.AreEqual((8, 2), (metrics.GetProperty("steps").GetInt32(), metrics.GetProperty("epochs").GetInt32()), "at most 40 rows, ten a batch");
    }

    [TestMethod]
    [DataRow(4.0, "")]
    [DataRow(null, "--steps 6")]
    [DataRow(null, "--epochs 2")]
    [DataRow(3.0, "--epochs 2 --minutes 3")]
    public void Time_is_limited_where_nothing_else_is_or_it_is_asked_for(double? minutes, string limits)
    {
        var command = TrainCommand.Create();
        Assert.AreEqual(minutes, command.Read(command.Parse(limits)).Settings.Options.MaximumDuration?.TotalMinutes);
    }

    [TestMethod]
    public void A_time_limit_ends_a_training()
    {
        using TemporaryFolder folder = new();
        (int exitCode, _, string error) = CommandLine.TrainTiny(folder.WritePrompts("rows.jsonl"), folder["out"], "--steps", "1000000", "--minutes", "0.005");

        Assert.AreEqual((0, ""), (exitCode, error));
        JsonElement metrics = ReadMetrics(folder["out"]);
        Assert.IsInRange(1, 100_000, metrics.GetProperty("steps").GetInt32());
        Assert.IsGreaterThanOrEqualTo(0.3, metrics.GetProperty("trainingSeconds").GetDouble());
    }

    [TestMethod]
    public void A_run_replaces_the_output_of_an_earlier_one_and_a_bad_run_leaves_it()
    {
        using TemporaryFolder folder = new();
        string data = folder.WritePrompts("rows.jsonl");
        CommandLine.TrainTiny(data, folder["out"]);
        string first = File.ReadAllText(Path.Combine(folder["out"], "metrics.json"));

        Assert.AreEqual(2, CommandLine.TrainTiny(folder.Write("empty.txt", ""), folder["out"]).ExitCode);
        Assert.AreEqual(first, File.ReadAllText(Path.Combine(folder["out"], "metrics.json")));

        Assert.AreEqual(0, CommandLine.TrainTiny(data, folder["out"], "--seed", "2").ExitCode);
        Assert.AreNotEqual(first, File.ReadAllText(Path.Combine(folder["out"], "metrics.json")));
        CollectionAssert.AreEqual(new[] { "empty.txt", "out", "rows.jsonl" }, folder.Names);
    }

    [TestMethod]
    public void A_folder_with_other_files_is_refused_and_left_as_it_is()
    {
        using TemporaryFolder folder = new();
        string data = folder.WritePrompts("rows.jsonl");

        (int exitCode, _, string error) = CommandLine.TrainTiny(data, folder.Path);

        Assert.AreEqual(2, exitCode);
        StringAssert.Contains(error, "rows.jsonl");
        CollectionAssert.AreEqual(new[] { "rows.jsonl" }, folder.Names);
        Assert.IsFalse(Directory.Exists($"{folder.Path}.partial-{Environment.ProcessId}"));
    }

    private static JsonElement ReadMetrics(string folder) => JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(Path.Combine(folder, "metrics.json")));

    private static double Loss(JsonElement metrics, string when) => metrics.GetProperty(when).GetProperty("loss").GetDouble();
}
