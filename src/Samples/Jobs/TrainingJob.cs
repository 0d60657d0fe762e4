using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension;
using MLNetExtension.Training.Reports;
using Samples.Errors;
using Samples.Reporting;
using Samples.Text;
using Spectre.Console;

namespace Samples.Jobs;

/// <summary>Reads and splits rows, evaluates, trains and evaluates again, saves the model, loads it back, generates samples and writes reports.</summary>
/// <param name="recipe">The model to train.</param>
/// <param name="settings">The recipe's settings.</param>
/// <param name="console">Shows progress and results.</param>
/// <param name="cancellationToken">Cancels the job; nothing is written.</param>
/// <param name="stopToken">Ends the training early; the job continues with the model so far.</param>
internal sealed class TrainingJob(ITrainingRecipe recipe, TrainingSettings settings, IAnsiConsole console, CancellationToken cancellationToken, CancellationToken stopToken = default)
{
    private const string ModelFile = "model.zip", MetricsFile = "metrics.json";
    private readonly WarningPrinter _warnings = new(console);

    /// <summary>Runs the job; its files are put into the output folder only if the job succeeds.</summary>
    /// <exception cref="UserErrorException">The settings, the published model or the rows cannot be used.</exception>
    /// <exception cref="JobFailedException">The training failed, or the saved model gives other metrics.</exception>
    /// <exception cref="OperationCanceledException">The job was cancelled, or stopped before its first step.</exception>
    public TrainReport Run()
    {
        RowSet rows = recipe.ReadRows();
        CausalLanguageModelTrainer.Options options = recipe.CreateOptions(rows.Kind);
        MLContext mlContext = CreateContext();
        using var output = new OutputFolder(settings.OutputFolder, name => name is ModelFile or MetricsFile || recipe.MayWrite(name));
        console.WriteLine($"Packages: {PackageVersions.Line()}");
        RowSplit split = RowSplit.Create(mlContext, rows, settings.Seed, settings.EvaluationRows, settings.DataFile);
        console.WriteLine(split.Describe());

        MetricsReport before = EvaluateUntrained(mlContext, split);
        console.WriteLine(FormattableString.Invariant($"Before: {before.BitsPerByte:0.000} bits per byte on {split.Report.EvaluatedRows:N0} held-out rows ({before.Tokens:N0} tokens)"));

        var curve = new TrainingCurve();
        TrainingSummary summary;
        MetricsReport after;
        IReadOnlyList<string> exported;
        using (var model = new FittedModel(Train(mlContext, options, split, curve)))
        {
            summary = model.Trained.Training!;
            ThrowIfUnusable(summary);
            after = split.Evaluate(mlContext, model.Transformer);
            mlContext.Model.Save(model.Transformer, split.Train.Schema, output[ModelFile]);  // first: it keeps adapters apart from the weights
            exported = recipe.ExportModel(model.Trained, output);
        }

        MLContext freshContext = CreateContext();
        using SavedModel reloaded = SavedModel.Load(freshContext, output[ModelFile]);
        MetricsReport again = split.Evaluate(freshContext, reloaded.Model);
        if (!after.Agrees(again))
            throw new JobFailedException(FormattableString.Invariant($"The model loaded back gives other metrics (loss {again.Loss}, not {after.Loss}); nothing was written."));
        IReadOnlyList<SampleReport> samples = SampleGenerator.Generate(freshContext, reloaded.Model, split.HeldOut, rows.Kind, settings.Seed);

        var report = new TrainReport(
            before, after, again, ReloadedAgrees: true, summary.Steps, summary.Epochs, summary.TargetTokens, summary.Elapsed.TotalSeconds,
            summary.TargetTokens / summary.Elapsed.TotalSeconds, PeakMemory.MiB(), PackageVersions.Read(), split.Report, recipe.SettingsReport, samples);
        cancellationToken.ThrowIfCancellationRequested();
        File.WriteAllText(output[MetricsFile], Json.Indented(report));
        IReadOnlyList<string> reports = recipe.WriteReports(report, curve, output);
        output.Commit();

        ResultTables.Write(console, report);
        console.WriteLine($"Written to {settings.OutputFolder}: {string.Join(", ", [ModelFile, MetricsFile, .. exported, .. reports])}");
        return report;
    }

    private MLContext CreateContext()
    {
        MLContext mlContext = settings.Device.CreateContext(settings.Seed);
        _warnings.Attach(mlContext);
        return mlContext;
    }

    /// <summary>Evaluates the weights that training starts from: the same seed, no step, no adapters.</summary>
    private MetricsReport EvaluateUntrained(MLContext mlContext, RowSplit split)
    {
        CausalLanguageModelTrainer.Options options = recipe.CreateOptions(split.Kind);
        (options.MaximumSteps, options.Adapters) = (0, null);
        options.CancellationToken = cancellationToken;
        using var untrained = new FittedModel(recipe.Fit(mlContext, options, split.Train, split.Kind));
        return split.Evaluate(mlContext, untrained.Transformer);
    }

    private ITransformer Train(MLContext mlContext, CausalLanguageModelTrainer.Options options, RowSplit split, TrainingCurve curve)
    {
        using CancellationTokenRegistration stopping = stopToken.Register(() =>
            console.WriteLine("Training stops after the current step; the model so far is evaluated and saved. Press Ctrl+C again to cancel."));
        return new TrainingDisplay(console, curve).Run(progress =>
        {
            options.Progress = progress;
            (options.CancellationToken, options.StopToken) = (cancellationToken, stopToken);
            return recipe.Fit(mlContext, options, split.Train, split.Kind);
        });
    }

    private void ThrowIfUnusable(TrainingSummary summary)
    {
        if (summary is { End: StopReason.Requested, Steps: 0 })
            throw new OperationCanceledException(stopToken);
        cancellationToken.ThrowIfCancellationRequested();
        if (summary.StoppedByNonFiniteSteps)
            throw new JobFailedException($"Training stopped after {summary.Steps} steps because loss or gradient were no longer finite; nothing was written. A lower --learning-rate may help.");
    }

    /// <summary>A trained pipeline, or a trained model alone.</summary>
    private sealed class FittedModel(ITransformer transformer) : IDisposable
    {
        public ITransformer Transformer => transformer;

        public CausalLanguageModelTransformer Trained => transformer is TransformerChain<CausalLanguageModelTransformer> chain ? chain.LastTransformer : (CausalLanguageModelTransformer)transformer;

        public void Dispose() => (transformer as IDisposable)?.Dispose();
    }
}
