using System.Diagnostics;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using MLNetExtension;
using MLNetExtension.Training.Reports;
using Samples.Errors;
using Samples.Reporting;
using Samples.Text;
using Spectre.Console;

namespace Samples.Jobs;

/// <summary>
/// Reads and splits rows, evaluates, trains, saves the model, evaluates again, loads the model back and compares it, generates samples and writes reports. Once the model is saved, it stays: what fails
/// afterwards is a warning. Cancelled before that, the job writes nothing; stopped, it ends the training early and continues with the model so far. Several processes evaluate and train together, and the first
/// does the rest.
/// </summary>
internal sealed class TrainingJob(ITrainingRecipe recipe, IAnsiConsole console, CancellationToken cancellationToken, CancellationToken stopToken = default)
{
    private const string ModelFile = "model.zip", MetricsFile = "metrics.json", ReportFile = "loss-curve.html";
    private readonly TrainingSettings _settings = recipe.Settings;
    private readonly HashSet<string> _warnings = [];

    /// <summary>Runs the job.</summary>
    /// <returns>The report; null on a rank other than the first.</returns>
    /// <exception cref="UserErrorException">The settings, the published model or the rows cannot be used.</exception>
    /// <exception cref="JobFailedException">The training failed, or the saved model gives other metrics.</exception>
    /// <exception cref="OperationCanceledException">The job was cancelled, or stopped before its first step.</exception>
    public TrainReport? Run()
    {
        RowSet rows = recipe.ReadRows();
        MLContext mlContext = CreateContext();
        using OutputFolder? output = _settings.Options.Ranks is null or { Rank: 0 }
            ? new OutputFolder(_settings.OutputFolder, name => name is ModelFile or MetricsFile or ReportFile || name.StartsWith(TensorBoardEvents.FilePrefix, StringComparison.Ordinal) || recipe.MayWrite(name))
            : null;
        console.WriteLine($"Packages: {PackageVersions.Line()}");
        RowSplit split = RowSplit.Create(mlContext, rows, _settings);
        console.WriteLine(split.Describe());

        (TrainedModel model, TrainingCurve curve, MetricsReport? before) = Train(mlContext, split);
        TrainingSummary summary = model.LanguageModel.Training!;
        MetricsReport? after;
        ModelFingerprint? trained;
        using (model)
        {
            ThrowIfUnusable(summary);
            if (output is not null)
                Save(mlContext, model, split, output);
            after = Attempt("The model cannot be evaluated", () => split.Evaluate(mlContext, model));
            trained = after is null ? null : Attempt("The model cannot be compared with the saved one", () => ModelFingerprint.Of(mlContext, model, split));
        }
        if (output is null)
            return null;
        TrainReport report = Report(split, new Measured(before!, after, trained, summary, curve), output);
        return !summary.StoppedByNonFiniteSteps ? report
            : throw new JobFailedException($"{Diverged(summary)}; {_settings.OutputFolder} has the model with the weights of step {summary.WeightsStep}. A lower --learning-rate may help.");
    }

    private void Save(MLContext mlContext, TrainedModel model, RowSplit split, OutputFolder output)
    {
        try
        {
            mlContext.Model.Save(model.Transformer, split.Train.Schema, output[ModelFile]);
            output.Commit();
        }
        // A disk that is full or a file that grows too large; what the system says does not name the file each time.
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException)
        {
            string kept = _settings.Options.Checkpoints is { } checkpoints ? $" The checkpoints are in {checkpoints.Folder}." : "";
            throw new JobFailedException($"The trained model cannot be written to {_settings.OutputFolder}: {UserErrorException.From(e).Message.TrimEnd('.')}.{kept}");
        }
    }

    /// <summary>Loads the saved model back, uses it, and writes what there is to say about it beside it.</summary>
    private TrainReport Report(RowSplit split, Measured measured, OutputFolder output)
    {
        MLContext mlContext = CreateContext();
        using TrainedModel? model = Attempt("The saved model cannot be loaded", () => TrainedModel.Load(mlContext, Path.Combine(_settings.OutputFolder, ModelFile)));
        ModelFingerprint? loaded = model is null ? null : Attempt("The loaded model cannot be evaluated", () => ModelFingerprint.Of(mlContext, model, split));
        IReadOnlyList<SampleReport>? samples = model is null ? null : Attempt("No samples can be generated", () => SampleGenerator.Generate(mlContext, model, split.HeldOut, _settings.Seed));

        (MetricsReport before, MetricsReport? after, ModelFingerprint? trained, TrainingSummary summary, TrainingCurve curve) = measured;
        string? difference = trained is null || loaded is null ? null : trained.DifferenceFrom(loaded);
        bool? agrees = trained is null || loaded is null ? null : difference is null;
        var report = new TrainReport(
            before, after, loaded?.Metrics, agrees, summary.Steps, summary.Epochs, summary.TargetTokens, summary.Elapsed.TotalSeconds,
            summary.TargetTokens / summary.Elapsed.TotalSeconds, PeakMemoryMiB(), summary.ValidationLoss, summary.BestStep, PackageVersions.Read(), split.Report,
            recipe.DescribeSettings(model?.LanguageModel.Options ?? _settings.Options), samples ?? []);
        List<string> written = [ModelFile];
        Attempt("Not every report can be written", () => WriteFiles(model, report, curve, output, written));

        ResultTables.Write(console, report);
        console.WriteLine($"Written to {_settings.OutputFolder}: {string.Join(", ", written)}");
        return difference is null ? report : throw new JobFailedException($"The model loaded back from {_settings.OutputFolder} is not the one that was saved: {difference}.");
    }

    private List<string> WriteFiles(TrainedModel? model, TrainReport report, TrainingCurve curve, OutputFolder output, List<string> written)
    {
        File.WriteAllText(output[MetricsFile], Json.Indented(report));
        output.Commit();
        written.Add(MetricsFile);
        File.WriteAllText(output[ReportFile], TrainingReportPage.Render(report, curve, [MetricsFile, ModelFile]));
        TensorBoardEvents.Write(output.Path, curve, report.Before, report.After);
        output.Commit();
        written.AddRange([ReportFile, "a TensorBoard event file"]);
        if (model is null)
            return written;
        IReadOnlyList<string> files = recipe.WriteFiles(model.LanguageModel, output);
        output.Commit();
        written.AddRange(files);
        return written;
    }

    /// <summary>Does something with a model that is saved.</summary>
    /// <returns>Its result; null where it failed, which is a warning: the model is there all the same.</returns>
    /// <exception cref="CancelledException">The job was cancelled.</exception>
    private T? Attempt<T>(string failure, Func<T> work) where T : class
    {
        if (cancellationToken.IsCancellationRequested)
            throw new CancelledException($"Cancelled; the trained model is in {_settings.OutputFolder}.");
        try
        {
            return work();
        }
        catch (Exception e)
        {
            Warn($"{failure}: {e.GetBaseException().Message}");  // ML.NET wraps what its cursors throw
            return null;
        }
    }

    /// <summary>A context that prints its warnings, each once, and from where a training resumes.</summary>
    private MLContext CreateContext()
    {
        MLContext mlContext = _settings.Device.CreateContext(_settings.Seed);
        mlContext.Log += (_, message) =>
        {
            if (message.Kind == ChannelMessageKind.Warning && _warnings.Add(message.RawMessage))
                Warn(message.RawMessage);
            else if (message.RawMessage.StartsWith("Training resumes", StringComparison.Ordinal))
                console.WriteLine(message.RawMessage);
        };
        return mlContext;
    }

    private void Warn(string warning) => console.MarkupLineInterpolated($"[yellow]Warning:[/] {warning}");

    /// <summary>Evaluates the model that training starts from, and trains it. It is not evaluated where the job is stopped before it is made.</summary>
    private (TrainedModel Model, TrainingCurve Curve, MetricsReport? Before) Train(MLContext mlContext, RowSplit split)
    {
        using CancellationTokenRegistration stopping = stopToken.Register(() =>
            console.WriteLine("Training stops after the current step; the model so far is saved and evaluated. Press Ctrl+C again to cancel."));
        using TrainedModel? teacher = _settings.Teacher?.Load(mlContext);
        return ProgressDisplay.Run(console, "training", show =>
        {
            CausalLanguageModelTrainer.Options options = CreateOptions(split.Kind);
            options.Distillation = _settings.Teacher?.ToOptions(teacher);
            TrainingCurve curve = new(show);
            MetricsReport? before = null;
            (options.Progress, options.StopToken, options.MeasureMatrixPeak) = (curve, stopToken, true);
            if (options.Validation is { } validation)
                options.Validation = validation with { Prompts = ReadPrompts(mlContext, split), Generation = SampleGenerator.Options };
            options.OnStart = untrained =>
            {
                before = RowSplit.Evaluate(mlContext, untrained, recipe.Prepare(mlContext, split.Evaluated, split.Kind));
                console.WriteLine(FormattableString.Invariant($"Before: {before.BitsPerByte:0.000} bits per byte on {split.Report.EvaluatedRows:N0} held-out rows ({before.Tokens:N0} tokens)"));
                if (options.Validation is { } validation)
                    curve.FirstSamples = SampleGenerator.Generate(mlContext, untrained, validation.Prompts, _settings.Seed);
            };
            return (Fit(mlContext, split, options), curve, before);
        });
    }

    // As the pipeline hands them to the trainer.
    private string[] ReadPrompts(MLContext mlContext, RowSplit split)
    {
        Row[] samples = SampleGenerator.Choose(split.HeldOut, split.Kind);
        bool arePrompts = split.Kind == RowKind.Prompts;
        IDataView rows = RowDataView.Create(mlContext, arePrompts ? samples : samples.Select(sample => new Row("", sample.Prompt)), arePrompts ? RowKind.Prompts : RowKind.Texts);
        if (split.Kind != RowKind.Chats)
            rows = recipe.Prepare(mlContext, rows, split.Kind);
        return [.. rows.GetColumn<string>(arePrompts ? RowDataView.Prompt : RowDataView.Text)];
    }

    private CausalLanguageModelTrainer.Options CreateOptions(RowKind kind)
    {
        CausalLanguageModelTrainer.Options options = _settings.Options.Copy();
        (options.Columns, options.CancellationToken) = (RowDataView.InputColumnsOf(kind), cancellationToken);
        return options;
    }

    private TrainedModel Fit(MLContext mlContext, RowSplit split, CausalLanguageModelTrainer.Options options)
    {
        try
        {
            return new TrainedModel(recipe.CreatePipeline(mlContext, options, split.Kind).Fit(split.Train), split.Kind);
        }
        // What the user can fix: options that do not go together, a folder without a model, an unknown architecture or target module, rows without target tokens.
        catch (Exception e) when (e is IOException or InvalidDataException or NotSupportedException or ArgumentException or InvalidOperationException && TorchSetup.Explain(e) is null)
        {
            throw UserErrorException.From(e);
        }
    }

    private void ThrowIfUnusable(TrainingSummary summary)
    {
        if (summary is { End: StopReason.Requested, Steps: 0 })
            throw new OperationCanceledException(stopToken);
        cancellationToken.ThrowIfCancellationRequested();
        if (summary is { StoppedByNonFiniteSteps: true, WeightsStep: 0 })
            throw new JobFailedException($"{Diverged(summary)}; nothing was written. A lower --learning-rate may help.");
    }

    private static string Diverged(TrainingSummary summary) => $"Training stopped after {summary.Steps} steps because loss or gradient were no longer finite";

    private static double PeakMemoryMiB()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 / 1048576.0;
    }

    /// <summary>What a training has given, beside its model.</summary>
    private sealed record Measured(MetricsReport Before, MetricsReport? After, ModelFingerprint? Trained, TrainingSummary Summary, TrainingCurve Curve);
}
