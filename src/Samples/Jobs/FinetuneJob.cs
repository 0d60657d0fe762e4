using Microsoft.ML;
using MLNetExtension;
using MLNetExtension.Training.Reports;
using Samples.Reporting;
using Samples.Text;
using Spectre.Console;

namespace Samples.Jobs;

/// <summary>Fine-tunes a published model on rows: evaluates before and after, and writes the model as others read it and as ML.NET does.</summary>
/// <param name="settings">What the user asked for.</param>
/// <param name="console">Where to show it.</param>
/// <param name="cancellationToken">Breaks the job off; nothing is written.</param>
/// <param name="stopToken">Ends the training early; the job goes on with what was learnt.</param>
internal sealed class FinetuneJob(FinetuneSettings settings, IAnsiConsole console, CancellationToken cancellationToken, CancellationToken stopToken = default)
{
    private const string ModelFile = "model.zip", MetricsFile = "metrics.json", ModelFolder = "model", AdapterFolder = "adapters";

    /// <summary>Runs the job; what it writes stands in the output folder when it returns, and only then.</summary>
    /// <exception cref="UserErrorException">The settings, the published model or the rows cannot be used.</exception>
    /// <exception cref="OperationCanceledException">The job was broken off, or stopped before it had learnt anything.</exception>
    public FinetuneReport Run()
    {
        RequireBaseOutsideOutput();
        RowSet rows = RowFile.Read(settings.DataFile, settings.Columns);
        MLContext mlContext = new WarningLines(console).Show(settings.Device.CreateContext(settings.Seed));
        using var output = new OutputFolder(settings.OutputFolder, name => name is ModelFile or MetricsFile or ModelFolder or AdapterFolder);
        console.WriteLine($"Packages: {PackageVersions.Line()}");
        RowSplit split = RowSplit.Create(mlContext, rows, settings.Seed, settings.EvaluationRows, settings.DataFile);
        console.WriteLine(split.Describe());

        MetricsReport before = EvaluateBase(mlContext, rows.Kind, split);
        console.WriteLine(FormattableString.Invariant($"Before: {before.BitsPerByte:0.000} bits per byte on {split.Report.EvaluatedRows:N0} held-out rows ({before.Tokens:N0} tokens)"));

        CausalLanguageModelTrainer.Options options = settings.ToOptions(rows.Kind);
        using CancellationTokenRegistration stopping = stopToken.Register(() => console.WriteLine("Training ends with the step under way; what was learnt is evaluated and saved. Ctrl+C again breaks off."));
        using CausalLanguageModelTransformer model = new TrainingDisplay(console, new TrainingCurve()).Run(progress =>
        {
            (options.Progress, options.StopToken) = (progress, stopToken);
            return Fit(mlContext, options, split.Train);
        });
        TrainingSummary summary = model.Training!;
        if (summary is { End: StopReason.Requested, Steps: 0 })
            throw new OperationCanceledException(stopToken);
        if (summary.StoppedByNonFiniteSteps)
            throw new JobFailedException($"Training stopped after {summary.Steps} steps because loss or gradient were no longer finite; nothing was written. A lower --learning-rate may help.");

        var report = new FinetuneReport(
            before, split.Evaluate(mlContext, model), summary.Steps, summary.Epochs, summary.TargetTokens, summary.Elapsed.TotalSeconds,
            summary.TargetTokens / summary.Elapsed.TotalSeconds, PeakMemory.MiB(), PackageVersions.Read(), split.Report, settings.ToReport(),
            SampleWriter.Write(mlContext, model, split.HeldOut, rows.Kind, settings.Seed));
        cancellationToken.ThrowIfCancellationRequested();
        string[] written = Write(mlContext, model, split, output, report);
        output.Commit();

        ResultTables.Write(console, report.Samples);
        console.WriteLine();
        ResultTables.Write(console, report);
        console.WriteLine($"Written to {settings.OutputFolder}: {string.Join(", ", written)}");
        return report;
    }

    /// <summary>Metrics of the published model as it is, without adapters.</summary>
    private MetricsReport EvaluateBase(MLContext mlContext, RowKind kind, RowSplit split)
    {
        CausalLanguageModelTrainer.Options options = settings.ToOptions(kind);
        (options.MaximumSteps, options.Lora) = (0, null);
        using CausalLanguageModelTransformer untrained = Fit(mlContext, options, split.Train);
        return split.Evaluate(mlContext, untrained);
    }

    private CausalLanguageModelTransformer Fit(MLContext mlContext, CausalLanguageModelTrainer.Options options, IDataView rows)
    {
        options.CancellationToken = cancellationToken;
        try
        {
            return mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options).Fit(rows);
        }
        // What the user can put right: a folder that is no model, a model or a target that is not known, a row that has nothing to learn.
        catch (Exception e) when (e is IOException or InvalidDataException or NotSupportedException or ArgumentException or InvalidOperationException && TorchSetup.Explain(e) is null)
        {
            throw new UserErrorException(e.Message.Split(" (Parameter")[0]);
        }
    }

    /// <summary>The archive first: it keeps adapters apart from the weights.</summary>
    private string[] Write(MLContext mlContext, CausalLanguageModelTransformer model, RowSplit split, OutputFolder output, FinetuneReport report)
    {
        mlContext.Model.Save(model, split.Train.Schema, output[ModelFile]);
        File.WriteAllText(output[MetricsFile], Json.Indented(report));
        if (settings.Lora is null)
        {
            model.SaveAsHuggingFace(output[ModelFolder]);
            return [ModelFile, MetricsFile, $"{ModelFolder}/ (as published models are)"];
        }
        model.SaveAdapters(output[AdapterFolder]);
        return [ModelFile, MetricsFile, $"{AdapterFolder}/ (as PEFT reads them)"];
    }

    private void RequireBaseOutsideOutput()
    {
        string output = Path.GetFullPath(settings.OutputFolder), published = Path.GetFullPath(settings.BaseFolder);
        if (!Directory.Exists(published))
            throw new UserErrorException($"--base {settings.BaseFolder} is no folder; it names one with a published model: config.json, *.safetensors and tokenizer files.");
        if ((published + Path.DirectorySeparatorChar).StartsWith(output + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            throw new UserErrorException($"--output {settings.OutputFolder} would replace --base {settings.BaseFolder}; name another folder.");
    }
}
