using System.Diagnostics;
using Microsoft.ML;
using Microsoft.ML.Runtime;
using MLNetExtension;
using MLNetExtension.Training.Reports;
using Samples.Errors;
using Samples.Reporting;
using Samples.Text;
using Spectre.Console;

namespace Samples.Jobs;

/// <summary>
/// Reads and splits rows, evaluates, trains and evaluates again, saves the model, loads it back, generates samples and writes reports. Cancelled, it writes nothing;
/// stopped, it ends the training early and continues with the model so far.
/// </summary>
internal sealed class TrainingJob(ITrainingRecipe recipe, IAnsiConsole console, CancellationToken cancellationToken, CancellationToken stopToken = default)
{
    private const string ModelFile = "model.zip", MetricsFile = "metrics.json";
    private readonly TrainingSettings _settings = recipe.Settings;
    private readonly HashSet<string> _warnings = [];

    /// <summary>Runs the job; its files are put into the output folder only if the job succeeds.</summary>
    /// <exception cref="UserErrorException">The settings, the published model or the rows cannot be used.</exception>
    /// <exception cref="JobFailedException">The training failed, or the saved model gives other metrics.</exception>
    /// <exception cref="OperationCanceledException">The job was cancelled, or stopped before its first step.</exception>
    public TrainReport Run()
    {
        RowSet rows = recipe.ReadRows();
        MLContext mlContext = CreateContext();
        using var output = new OutputFolder(_settings.OutputFolder, name => name is ModelFile or MetricsFile || recipe.MayWrite(name));
        console.WriteLine($"Packages: {PackageVersions.Line()}");
        RowSplit split = RowSplit.Create(mlContext, rows, _settings);
        console.WriteLine(split.Describe());

        MetricsReport before = EvaluateUntrained(mlContext, split), after;
        console.WriteLine(FormattableString.Invariant($"Before: {before.BitsPerByte:0.000} bits per byte on {split.Report.EvaluatedRows:N0} held-out rows ({before.Tokens:N0} tokens)"));

        (TrainedModel model, TrainingCurve curve) = Train(mlContext, split);
        TrainingSummary summary = model.LanguageModel.Training!;
        using (model)
        {
            ThrowIfUnusable(summary);
            after = split.Evaluate(mlContext, model);
            mlContext.Model.Save(model.Transformer, split.Train.Schema, output[ModelFile]);
        }

        MLContext freshContext = CreateContext();
        using TrainedModel reloaded = TrainedModel.Load(freshContext, output[ModelFile]);
        MetricsReport again = split.Evaluate(freshContext, reloaded);
        if (!after.Agrees(again))
            throw new JobFailedException(FormattableString.Invariant($"The model loaded back gives other metrics (loss {again.Loss}, not {after.Loss}); nothing was written."));
        IReadOnlyList<SampleReport> samples = SampleGenerator.Generate(freshContext, reloaded, split.HeldOut, _settings.Seed);

        var report = new TrainReport(
            before, after, again, ReloadedAgrees: true, summary.Steps, summary.Epochs, summary.TargetTokens, summary.Elapsed.TotalSeconds,
            summary.TargetTokens / summary.Elapsed.TotalSeconds, PeakMemoryMiB(), summary.ValidationLoss, summary.BestStep, PackageVersions.Read(), split.Report, recipe.DescribeSettings(reloaded.LanguageModel.Options), samples);
        cancellationToken.ThrowIfCancellationRequested();
        File.WriteAllText(output[MetricsFile], Json.Indented(report));
        IReadOnlyList<string> files = recipe.WriteFiles(reloaded.LanguageModel, report, curve, output);
        output.Commit();

        ResultTables.Write(console, report);
        console.WriteLine($"Written to {_settings.OutputFolder}: {string.Join(", ", [ModelFile, MetricsFile, .. files])}");
        return report;
    }

    /// <summary>A context that prints its warnings, each once.</summary>
    private MLContext CreateContext()
    {
        MLContext mlContext = _settings.Device.CreateContext(_settings.Seed);
        mlContext.Log += (_, message) =>
        {
            if (message.Kind == ChannelMessageKind.Warning && _warnings.Add(message.RawMessage))
                console.MarkupLineInterpolated($"[yellow]Warning:[/] {message.RawMessage}");
        };
        return mlContext;
    }

    /// <summary>Evaluates the weights that training starts from: the same seed, no step, no adapters.</summary>
    private MetricsReport EvaluateUntrained(MLContext mlContext, RowSplit split)
    {
        CausalLanguageModelTrainer.Options options = CreateOptions(split.Kind);
        (options.MaximumSteps, options.Adapters, options.Validation) = (0, null, null);
        using TrainedModel untrained = Fit(mlContext, split, options);
        return split.Evaluate(mlContext, untrained);
    }

    private (TrainedModel Model, TrainingCurve Curve) Train(MLContext mlContext, RowSplit split)
    {
        using CancellationTokenRegistration stopping = stopToken.Register(() =>
            console.WriteLine("Training stops after the current step; the model so far is evaluated and saved. Press Ctrl+C again to cancel."));
        return ProgressDisplay.Run(console, "training", show =>
        {
            CausalLanguageModelTrainer.Options options = CreateOptions(split.Kind);
            TrainingCurve curve = new(show);
            (options.Progress, options.StopToken) = (curve, stopToken);
            return (Fit(mlContext, split, options), curve);
        });
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
        if (summary.StoppedByNonFiniteSteps)
            throw new JobFailedException($"Training stopped after {summary.Steps} steps because loss or gradient were no longer finite; nothing was written. A lower --learning-rate may help.");
    }

    private static double PeakMemoryMiB()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 / 1048576.0;
    }
}
