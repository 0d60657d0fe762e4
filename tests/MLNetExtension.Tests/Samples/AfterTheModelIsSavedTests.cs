using System.IO.Compression;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.ML;
using Samples.Errors;
using Samples.Jobs;
using Samples.Reporting;
using Samples.Text;
using Spectre.Console;

namespace MLNetExtension.Tests.Samples;

/// <summary>A training is long; what comes after it is not. The model is saved first, and nothing that fails afterwards takes it away.</summary>
[TestClass]
public sealed class AfterTheModelIsSavedTests
{
    // A sample of text is continued from its first third: of a single character that is nothing.
    [TestMethod]
    [DataRow("train")]
    [DataRow("finetune")]
    public void Rows_of_a_single_character_are_trained_evaluated_and_continued(string command)
    {
        using TemporaryFolder folder = new();
        string data = folder.Write("rows.txt", string.Join('\n', Enumerable.Range(0, 30).Select(i => (char)('A' + i))));

        (int exitCode, string output, string error) = command == "train" ? CommandLine.TrainTiny(data, folder["out"])
            : CommandLine.Run("finetune", "--base", PublishedModel.Write(folder["base"]), "--data", data, "--output", folder["out"], "--steps", "2");

        Assert.AreEqual((0, ""), (exitCode, error));
        Assert.DoesNotContain("Warning", output);
        Assert.AreEqual(3, output.Split("reference:").Length - 1, "three samples");
    }

    [TestMethod]
    public void A_failure_after_the_training_is_a_warning_and_the_model_is_there()
    {
        using TemporaryFolder folder = new();
        using CancellationTokenSource trained = new();
        using StoppingWriter output = new("100%", trained);
        FailingRecipe recipe = new(folder, trained.Token);

        TrainReport report = new TrainingJob(recipe, ConsoleOn(output), CancellationToken.None).Run()!;

        Assert.AreEqual((2, null, null), (report.Steps, report.After, report.Reloaded));
        StringAssert.Contains(output.ToString(), "Warning: The model cannot be evaluated: the disk of the rows is gone");
        Assert.IsTrue(File.Exists(folder["out/metrics.json"]));
        using ZipArchive model = ZipFile.OpenRead(folder["out/model.zip"]);
        Assert.IsTrue(model.Entries.Any(entry => entry.Name == "weights.safetensors"));
    }

    [TestMethod]
    public void Reports_that_cannot_be_written_are_a_warning_and_the_model_is_there()
    {
        using TemporaryFolder folder = new();
        using StringWriter output = new();
        FailingRecipe recipe = new(folder, CancellationToken.None) { OnWriting = () => throw new IOException("No space left on device") };

        new TrainingJob(recipe, ConsoleOn(output), CancellationToken.None).Run();

        StringAssert.Contains(output.ToString(), "Warning: Not every report can be written: No space left on device");
        CollectionAssert.AreEqual(new[] { "out", "rows.jsonl" }, folder.Names);
        Assert.IsTrue(File.Exists(folder["out/metrics.json"]));
        AssertLoads(folder["out/model.zip"]);
    }

    [TestMethod]
    public void A_job_that_is_cancelled_after_the_training_keeps_the_model_and_says_so()
    {
        using TemporaryFolder folder = new();
        using CancellationTokenSource cancel = new();
        FailingRecipe recipe = new(folder, CancellationToken.None) { OnDescribing = cancel.Cancel };

        string message = Assert.ThrowsExactly<CancelledException>(() => new TrainingJob(recipe, ConsoleOn(TextWriter.Null), cancel.Token).Run()).Message;

        StringAssert.Contains(message, $"the trained model is in {folder["out"]}");
        CollectionAssert.AreEqual(new[] { "out", "rows.jsonl" }, folder.Names);
        AssertLoads(folder["out/model.zip"]);
    }

    [TestMethod]
    public void A_training_that_diverges_keeps_its_last_good_model_and_fails()
    {
        using TemporaryFolder folder = new();
        (int exitCode, _, string error) = CommandLine.TrainTiny(folder.WritePrompts("rows.jsonl"), folder["out"], "--steps", "200", "--learning-rate", "100");

        Assert.AreEqual(1, exitCode, error);
        Assert.MatchesRegex($"^Training stopped after \\d+ steps .*; {Regex.Escape(folder["out"])} has the model with the weights of step [1-9]", error);
        JsonElement after = JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(folder["out/metrics.json"])).GetProperty("after");
        Assert.IsTrue(double.IsFinite(after.GetProperty("loss").GetDouble()));
        AssertLoads(folder["out/model.zip"]);
    }

    private static IAnsiConsole ConsoleOn(TextWriter writer)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(writer) });
        console.Profile.Width = 1000;
        return console;
    }

    private static void AssertLoads(string model)
    {
        MLContext mlContext = new();
        mlContext.CausalLanguageModeling.RegisterLoader();
        using IDisposable loaded = (IDisposable)mlContext.Model.Load(model, out _);
    }

    /// <summary>The recipe of <c>train</c>, in which the rows can no longer be read once a token is cancelled.</summary>
    private sealed class FailingRecipe : ITrainingRecipe
    {
        private readonly FromScratchRecipe _inner = new() { Network = new() { Layers = 1, Heads = 1, Width = 8, ContextLength = 32 } };
        private readonly CancellationToken _gone;

        public FailingRecipe(TemporaryFolder folder, CancellationToken gone)
        {
            _gone = gone;
            (Settings.DataFile, Settings.OutputFolder, Settings.EvaluationRows, Settings.Options.MaximumSteps) = (folder.WritePrompts("rows.jsonl"), folder["out"], 10, 2);
        }

        public Action? OnDescribing { get; init; }

        public Action? OnWriting { get; init; }

        public TrainingSettings Settings => _inner.Settings;

        public object DescribeSettings(CausalLanguageModelTrainer.Options options)
        {
            OnDescribing?.Invoke();
            return _inner.DescribeSettings(options);
        }

        public RowSet ReadRows() => _inner.ReadRows();

        public IEstimator<ITransformer> CreatePipeline(MLContext mlContext, CausalLanguageModelTrainer.Options options, RowKind kind)
        {
            IEstimator<ITransformer> pipeline = _inner.CreatePipeline(mlContext, options, kind);
            return _gone.CanBeCanceled ? mlContext.Transforms.CustomMapping<Completed, Completed>(ThrowIfGone, "ThrowIfGone").Append(pipeline) : pipeline;
        }

        public IDataView Prepare(MLContext mlContext, IDataView rows, RowKind kind) => _inner.Prepare(mlContext, rows, kind);

        public bool MayWrite(string fileName) => _inner.MayWrite(fileName);

        public IReadOnlyList<string> WriteFiles(CausalLanguageModelTransformer model, OutputFolder output)
        {
            OnWriting?.Invoke();
            return _inner.WriteFiles(model, output);
        }

        private void ThrowIfGone(Completed input, Completed output)
        {
            if (_gone.IsCancellationRequested)
                throw new IOException("the disk of the rows is gone");
            output.Completion = input.Completion;
        }

        private sealed class Completed
        {
            public string Completion { get; set; } = "";
        }
    }
}
