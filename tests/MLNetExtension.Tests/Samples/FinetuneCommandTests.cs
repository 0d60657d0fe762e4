using System.Text.Json;
using Microsoft.ML;
using MLNetExtension.Tests.MLNet.Trainer;
using MLNetExtension.Training;
using MLNetExtension.Training.Averaging;
using Samples.Jobs;
using Spectre.Console;

namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class FinetuneCommandTests
{
    private static TemporaryFolder _folder = null!;
    private static string _base = null!;

    [ClassInitialize]
    public static void Publish(TestContext context)
    {
        _folder = new TemporaryFolder();
        _base = PublishedModel.Write(_folder["base"]);
    }

    [ClassCleanup]
    public static void CleanUp() => _folder.Dispose();

    // Seen to fail with: the base evaluated after its training instead of before.
    [TestMethod]
    public void All_weights_are_trained_and_the_exported_folder_can_be_a_base_again()
    {
        string output = _folder["all"], json = _folder["all.json"];
        AssertRuns("finetune", "--base", _base, "--data", _folder.WritePrompts("pairs.jsonl"), "--steps", "20", "--learning-rate", "0.01", "--output", output, "--json", json);

        CollectionAssert.AreEquivalent(new[] { "events", "loss-curve.html", "metrics.json", "model", "model.zip" }, Names(output));
        JsonElement report = JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(json));
        Assert.IsLessThan(0.9 * Loss(report, "before"), Loss(report, "after"));
        Assert.AreEqual(Loss(report, "after"), Loss(report, "reloaded"), 1e-5);

        AssertRuns("finetune", "--base", Path.Combine(output, "model"), "--data", _folder["pairs.jsonl"], "--steps", "1", "--output", _folder["more"], "--json", _folder["more.json"]);
        JsonElement more = JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(_folder["more.json"]));
        Assert.AreEqual(Loss(report, "after"), Loss(more, "before"), 1e-6, "what was written computes what was trained");
    }

    [TestMethod]
    public void Adapters_are_written_alone_and_the_archive_generates_with_them()
    {
        string output = _folder["lora"], model = Path.Combine(output, "model.zip");
        AssertRuns("finetune", "--base", _base, "--data", _folder.WritePrompts("pairs.jsonl"), "--rank", "2", "--alpha", "4", "--target", "q_proj,v_proj", "--steps", "3", "--output", output);

        CollectionAssert.AreEquivalent(new[] { "adapters", "events", "loss-curve.html", "metrics.json", "model.zip" }, Names(output));
        StringAssert.Contains(File.ReadAllText(Path.Combine(output, "adapters", "adapter_config.json")), "q_proj");
        AssertRuns("generate", "--model", model, "--prompt", "Number 7", "--max-new-tokens", "4");
        AssertRuns("evaluate", "--model", model, "--data", _folder["pairs.jsonl"]);
    }

    [TestMethod]
    public void Adapters_of_another_kind_and_whole_modules_are_asked_for_by_options()
    {
        string output = _folder["dora"], model = Path.Combine(output, "model.zip");
        AssertRuns("finetune", "--base", _base, "--data", _folder.WritePrompts("pairs.jsonl"), "--rank", "2", "--dora", "--rslora", "--adapter-init", "pissa", "--base-precision", "int8", "--train-modules", "embed_tokens,norm", "--steps", "3", "--output", output);

        JsonElement adapters = JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(Path.Combine(output, "adapters", "adapter_config.json")));
        Assert.AreEqual((true, true, 4), (adapters.GetProperty("use_dora").GetBoolean(), adapters.GetProperty("use_rslora").GetBoolean(), adapters.GetProperty("r").GetInt32()));
        StringAssert.Contains(adapters.GetProperty("modules_to_save").GetRawText(), "model.norm");
        JsonElement settings = JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(Path.Combine(output, "metrics.json"))).GetProperty("settings");
        Assert.AreEqual((true, true, "Pissa"), (settings.GetProperty("useDora").GetBoolean(), settings.GetProperty("rankStabilized").GetBoolean(), settings.GetProperty("initialization").GetString()));
        Assert.AreEqual("Int8", settings.GetProperty("basePrecision").GetString());
        AssertRuns("generate", "--model", model, "--prompt", "Number 7", "--max-new-tokens", "4");
    }

    [TestMethod]
    public void Noise_dropout_and_averages_reach_the_training_and_go_with_the_model()
    {
        CausalLanguageModelTrainer.Options exponential = Train("ema", "--neftune", "5", "--dropout", "0.2", "--ema", "0.5"), uniform = Train("swa", "--swa", "0.5"), without = Train("without");
        Assert.AreEqual(new RegularizationOptions { EmbeddingNoise = 5, Averaging = WeightAveraging.Exponential(0.5) }, exponential.Regularization);
        Assert.AreEqual(0.2, ((LanguageModel.PretrainedModel)exponential.Model).Dropout);
        Assert.AreEqual(new RegularizationOptions { Averaging = WeightAveraging.Uniform(0.5) }, uniform.Regularization);
        Assert.AreEqual((new RegularizationOptions(), (double?)null), (without.Regularization, ((LanguageModel.PretrainedModel)without.Model).Dropout));

        CausalLanguageModelTrainer.Options Train(string name, params string[] more)
        {
            AssertRuns(["finetune", "--base", _base, "--data", _folder.WritePrompts("pairs.jsonl"), "--steps", "2", "--output", _folder[name], .. more]);
            using var loaded = (IDisposable)new MLContext().LoadLanguageModel(Path.Combine(_folder[name], "model.zip"), out ITransformer model);
            return ((CausalLanguageModelTransformer)model).Options;
        }
    }

    [TestMethod]
    [DataRow(5e-5, 0.01)]
    [DataRow(2e-4, 0.0, "--rank", "2")]
    [DataRow(1e-3, 0.1, "--rank", "2", "--learning-rate", "1e-3", "--weight-decay", "0.1")]
    public void Defaults_follow_from_what_is_trained_and_are_reported(double learningRate, double weightDecay, params string[] more)
    {
        AssertRuns(["finetune", "--base", _base, "--data", _folder.WritePrompts("pairs.jsonl"), "--steps", "1", "--output", _folder["defaults"], .. more]);
        JsonElement settings = JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(Path.Combine(_folder["defaults"], "metrics.json"))).GetProperty("settings");
        Assert.AreEqual((learningRate, weightDecay), (settings.GetProperty("learningRate").GetDouble(), settings.GetProperty("weightDecay").GetDouble()));
    }

    [TestMethod]
    [DataRow()]
    [DataRow("--rank", "2")]
    public void A_model_that_computes_in_bfloat16_agrees_after_it_was_loaded_back(params string[] more) =>
        AssertRuns(["finetune", "--base", _base, "--data", _folder.WritePrompts("pairs.jsonl"), "--precision", "BFloat16", "--steps", "3", "--output", _folder["bfloat16"], .. more]);

    [TestMethod]
    public void Chats_and_texts_are_trained_on_and_evaluated()
    {
        string chats = _folder.Write("chats.jsonl", string.Concat(Enumerable.Range(0, 20).Select(i =>
            $$"""{"messages":[{"role":"user","content":"Number {{i}}?"},{"role":"assistant","content":"It is {{i}}."}]}""" + "\n")));
        AssertRuns("finetune", "--base", _base, "--data", chats, "--steps", "2", "--output", _folder["chats"]);
        AssertRuns("evaluate", "--model", Path.Combine(_folder["chats"], "model.zip"), "--data", chats);

        string texts = _folder.Write("texts.txt", string.Concat(Enumerable.Range(0, 20).Select(i => $"text {i}\n")));
        AssertRuns("finetune", "--base", _base, "--data", texts, "--steps", "2", "--output", _folder["texts"]);
        Assert.AreEqual(2, CommandLine.Run("evaluate", "--model", Path.Combine(_folder["chats"], "model.zip"), "--data", texts).ExitCode);
    }

    [TestMethod]
    [DataRow("no such folder", "--base", "nowhere")]
    [DataRow("adapters", "--alpha", "3")]
    [DataRow("two averages", "--ema", "0.9", "--swa", "0.5")]
    [DataRow("adapters", "--dora")]
    [DataRow("adapters", "--base-precision", "int8")]
    [DataRow("no such precision", "--rank", "2", "--base-precision", "int3")]
    [DataRow("no module", "--rank", "2", "--train-modules", "nothing")]
    [DataRow("no layer", "--rank", "2", "--target", "nothing_proj")]
    [DataRow("row 1", "--messages-column", "prompt")]
    public void Bad_input_gets_one_line_and_leaves_nothing(string what, params string[] more)
    {
        string[] named = more.Contains("--base") ? [] : ["--base", _base];
        (int exitCode, _, string error) = CommandLine.Run(["finetune", .. named, "--data", _folder.WritePrompts("pairs.jsonl"), "--output", _folder["bad"], .. more]);
        Assert.AreEqual(2, exitCode, $"{what}: {error}");
        Assert.HasCount(1, error.TrimEnd().Split('\n'), error);
        Assert.IsFalse(Directory.Exists(_folder["bad"]));
    }

    // Seen to fail with: the check left out.
    [TestMethod]
    public void An_output_that_would_replace_the_base_is_refused()
    {
        (int exitCode, _, string error) = CommandLine.Run("finetune", "--base", _base, "--data", _folder.WritePrompts("pairs.jsonl"), "--output", _folder.Path);
        Assert.AreEqual(2, exitCode);
        StringAssert.Contains(error, "would replace");
    }

    [TestMethod]
    public void A_stopped_fine_tuning_keeps_the_model_so_far_and_a_cancelled_one_leaves_nothing()
    {
        _folder.WritePrompts("pairs.jsonl");
        using CancellationTokenSource stop = new(), cancel = new();
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(new StoppingWriter("step 1 ", stop)) });
        Assert.AreEqual(1, CreateJob(_folder["stopped"], console, CancellationToken.None, stop.Token).Run()!.Steps);
        Assert.IsTrue(File.Exists(Path.Combine(_folder["stopped"], "model.zip")));

        cancel.Cancel();
        Assert.ThrowsExactly<OperationCanceledException>(() => CreateJob(_folder["cancelled"], console, cancel.Token).Run());
        Assert.IsFalse(Directory.Exists(_folder["cancelled"]));

        static TrainingJob CreateJob(string output, IAnsiConsole console, CancellationToken cancellationToken, CancellationToken stopToken = default)
        {
            var recipe = new FinetuneRecipe { Base = new(_base, ContextLength: 64) };
            recipe.Settings.DataFile = _folder["pairs.jsonl"];
            recipe.Settings.OutputFolder = output;
            recipe.Settings.EvaluationRows = 10;
            recipe.Settings.Options.MaximumSteps = 1000;
            recipe.Settings.Options.BatchSize = 4;
            recipe.Settings.Options.Batching = new() { MaximumTokensPerMicroBatch = 64 };
            recipe.Settings.Options.LearningRate = 1e-4;
            return new TrainingJob(recipe, console, cancellationToken, stopToken);
        }
    }

    // The name of a TensorBoard event file goes on with time and machine.
    private static string[] Names(string folder) => [.. Directory.EnumerateFileSystemEntries(folder).Select(entry => Path.GetFileName(entry)).Select(name => name.StartsWith("events.") ? "events" : name)];

    private static double Loss(JsonElement report, string when) => report.GetProperty(when).GetProperty("loss").GetDouble();

    private static void AssertRuns(params string[] args)
    {
        (int exitCode, string output, string error) = CommandLine.Run(args);
        Assert.AreEqual((0, ""), (exitCode, error), output);
    }
}
