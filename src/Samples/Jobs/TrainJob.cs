using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Text;
using MLNetExtension;
using MLNetExtension.Training.Reports;
using Samples.Reporting;
using Samples.Text;
using Spectre.Console;

namespace Samples.Jobs;

/// <summary>The main job: reads rows, trains through an ML.NET pipeline, evaluates before and after, saves, loads back and shows samples.</summary>
/// <param name="settings">What the user asked for.</param>
/// <param name="console">Where to show it.</param>
/// <param name="cancellationToken">Breaks the job off; nothing is written.</param>
/// <param name="stopToken">Ends the training early; the job goes on with what was learnt.</param>
internal sealed class TrainJob(TrainSettings settings, IAnsiConsole console, CancellationToken cancellationToken, CancellationToken stopToken = default)
{
    private const string ModelFile = "model.zip", MetricsFile = "metrics.json", CurveFile = "loss-curve.html";
    private readonly WarningLines _warnings = new(console);

    /// <summary>Runs the job; what it writes stands in the output folder when it returns, and only then.</summary>
    /// <exception cref="UserErrorException">The settings or the rows cannot be used.</exception>
    /// <exception cref="OperationCanceledException">The job was broken off, or stopped before it had learnt anything.</exception>
    public TrainReport Run()
    {
        RowSet rows = settings.DataFile is null ? ApiDocumentation.Read(ReferencePack.Find()) : RowFile.Read(settings.DataFile, settings.Columns).WithoutChats();
        CausalLanguageModelTrainer.Options options = settings.ToOptions(rows.HasPrompts);
        MLContext mlContext = _warnings.Show(settings.Device.CreateContext(settings.Seed));
        using var output = new OutputFolder(settings.OutputFolder, IsOurs);

        console.WriteLine($"Packages: {PackageVersions.Line()}");
        RowSplit split = RowSplit.Create(mlContext, rows, settings.Seed, settings.EvaluationRows, settings.DataFile);
        console.WriteLine(split.Describe());

        MetricsReport before = EvaluateUntrained(mlContext, options, rows.HasPrompts, split);
        console.WriteLine(Invariant($"Before: {before.BitsPerByte:0.000} bits per byte on {split.Report.EvaluatedRows:N0} held-out rows ({before.Tokens:N0} tokens)"));

        var curve = new TrainingCurve();
        DateTimeOffset started = DateTimeOffset.Now;
        using CancellationTokenRegistration stopping = stopToken.Register(() => console.WriteLine("Training ends with the step under way; what was learnt is evaluated and saved. Ctrl+C again breaks off."));
        using TransformerChain<CausalLanguageModelTransformer> model = new TrainingDisplay(console, curve).Run(progress =>
        {
            options.Progress = progress;
            (options.CancellationToken, options.StopToken) = (cancellationToken, stopToken);
            return BuildPipeline(mlContext, options, rows.HasPrompts).Fit(split.Train);
        });
        TrainingSummary summary = model.LastTransformer.Training!;
        if (summary is { End: StopReason.Requested, Steps: 0 })
            throw new OperationCanceledException(stopToken);
        cancellationToken.ThrowIfCancellationRequested();
        MetricsReport after = split.Evaluate(mlContext, model);

        mlContext.Model.Save(model, split.Train.Schema, output[ModelFile]);
        MLContext fresh = _warnings.Show(settings.Device.CreateContext(settings.Seed));
        using SavedModel reloaded = SavedModel.Load(fresh, output[ModelFile]);
        MetricsReport again = split.Evaluate(fresh, reloaded.Model);
        IReadOnlyList<SampleReport> samples = SampleWriter.Write(fresh, reloaded.Model, split.HeldOut, rows.Kind, settings.Seed);

        var report = new TrainReport(
            before, after, again, after.Agrees(again), summary.Steps, summary.Epochs, summary.TargetTokens, summary.Elapsed.TotalSeconds,
            summary.TargetTokens / summary.Elapsed.TotalSeconds, PeakMemory.MiB(), PackageVersions.Read(), split.Report, settings.ToReport(), samples);
        cancellationToken.ThrowIfCancellationRequested();
        Require(summary, report);
        Write(output, report, curve, started);
        output.Commit();
        Show(report);
        return report;
    }

    /// <summary>The pipeline of the README.</summary>
    private static IEstimator<TransformerChain<CausalLanguageModelTransformer>> BuildPipeline(MLContext mlContext, CausalLanguageModelTrainer.Options options, bool hasPrompts)
    {
        CausalLanguageModelTrainer trainer = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options);
        return hasPrompts
            ? Normalize(nameof(PromptRow.Prompt)).Append(Normalize(nameof(PromptRow.Completion))).Append(trainer)
            : Normalize(nameof(TextRow.Text)).Append(trainer);

        TextNormalizingEstimator Normalize(string column) => mlContext.Transforms.Text.NormalizeText(
            column, caseMode: TextNormalizingEstimator.CaseMode.None, keepDiacritics: true, keepPunctuations: true, keepNumbers: true);
    }

    /// <summary>Metrics of the weights that training starts from: the same seed, no step.</summary>
    private static MetricsReport EvaluateUntrained(MLContext mlContext, CausalLanguageModelTrainer.Options options, bool hasPrompts, RowSplit split)
    {
        int? steps = options.MaximumSteps;
        options.MaximumSteps = 0;
        using TransformerChain<CausalLanguageModelTransformer> untrained = BuildPipeline(mlContext, options, hasPrompts).Fit(split.Train);
        options.MaximumSteps = steps;
        return split.Evaluate(mlContext, untrained);
    }

    private static void Require(TrainingSummary summary, TrainReport report)
    {
        if (summary.StoppedByNonFiniteSteps)
            throw new JobFailedException($"Training stopped after {summary.Steps} steps because loss or gradient were no longer finite; nothing was written. A lower --learning-rate may help.");
        if (!report.ReloadedAgrees)
            throw new JobFailedException(Invariant($"The model loaded back gives other metrics (loss {report.Reloaded.Loss}, not {report.After.Loss}); nothing was written."));
    }

    private static void Write(OutputFolder output, TrainReport report, TrainingCurve curve, DateTimeOffset started)
    {
        File.WriteAllText(output[MetricsFile], Json.Indented(report));
        File.WriteAllText(output[CurveFile], LossCurvePage.Render(report, curve.Points));
        TensorBoardEvents.Write(output.Path, curve.Points, started, report.Before, report.After);
    }

    private void Show(TrainReport report)
    {
        ResultTables.Write(console, report.Samples);
        console.WriteLine();
        ResultTables.Write(console, report);
        console.WriteLine($"Written to {settings.OutputFolder}: {ModelFile}, {MetricsFile}, {CurveFile} and a TensorBoard event file");
    }

    private static bool IsOurs(string fileName) =>
        fileName is ModelFile or MetricsFile or CurveFile || fileName.StartsWith(TensorBoardEvents.FilePrefix, StringComparison.Ordinal);

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
