using Microsoft.ML;
using MLNetExtension;
using MLNetExtension.Training.Preference;
using MLNetExtension.Training.Reports;
using Samples.Errors;
using Samples.Reporting;
using Samples.Text;
using Spectre.Console;

namespace Samples.Jobs;

/// <summary>Trains a saved model to prefer short summaries, and shows how long its summaries of held-out members are before and after.</summary>
internal sealed class PreferJob(PreferSettings settings, IAnsiConsole console, CancellationToken cancellationToken, CancellationToken stopToken)
{
    private const string ModelFile = "model.zip", MetricsFile = "metrics.json";
    private const int Samples = 3, LongestText = 240;

    /// <summary>Runs the job.</summary>
    /// <exception cref="UserErrorException">There is no model, or there are no pairs.</exception>
    /// <exception cref="OperationCanceledException">The job was cancelled, or stopped before its first step.</exception>
    public PreferReport Run()
    {
        if (!File.Exists(settings.ModelFile))
            throw new UserErrorException($"{settings.ModelFile} does not exist: run train first, which saves the model that prefer starts from.");
        MLContext mlContext = settings.Device.CreateContext(settings.Seed);
        using TrainedModel start = TrainedModel.Load(mlContext, settings.ModelFile);
        if (start.Kind != RowKind.Prompts)
            throw new UserErrorException($"{settings.ModelFile} was not trained on prompts with completions, which prefer makes pairs of.");
        (PreferencePair[] train, PreferencePair[] heldOut) = ReadPairs();
        using OutputFolder output = new(settings.OutputFolder, name => name is ModelFile or MetricsFile || name.StartsWith(TensorBoardEvents.FilePrefix, StringComparison.Ordinal));
        console.WriteLine(FormattableString.Invariant($"{train.Length:N0} pairs to train on, {heldOut.Length:N0} held out; {settings.Method}"));

        CausalLanguageModelTransformer reference = start.LanguageModel;
        // Before the first step there is nothing to keep: to stop is to cancel.
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stopToken);
        IReadOnlyList<string> textsBefore = Write(mlContext, reference, heldOut, either.Token);
        PreferFigures before = Measure(mlContext, reference, reference, heldOut, textsBefore, either.Token);
        console.WriteLine(FormattableString.Invariant($"Before: summaries of {before.MeanLength:0.0} characters on {textsBefore.Count:N0} held-out prompts"));
        List<StepReport> steps = [];
        IDataView rows = Rows(mlContext, train);
        using CausalLanguageModelTransformer model = Fit(mlContext, reference, rows, steps);
        TrainingSummary summary = model.Training!;
        if (summary.Steps == 0)
            throw new OperationCanceledException(stopToken);
        IReadOnlyList<string> textsAfter = Write(mlContext, model, heldOut, cancellationToken);
        PreferReport report = new(
            settings.ModelFile, settings.Method.ToString(), settings.LearningRate, train.Length, heldOut.Length, textsBefore.Count, summary.Steps, summary.Elapsed.TotalSeconds,
            summary.TargetTokens / summary.Elapsed.TotalSeconds, before, Measure(mlContext, model, reference, heldOut, textsAfter, cancellationToken),
            [.. heldOut.Take(Samples).Select((pair, i) => new PreferSample(pair.Prompt.TrimEnd('\n'), textsBefore[i], textsAfter[i]))], PackageVersions.Read());

        mlContext.Model.Save(model, rows.Schema, output[ModelFile]);
        TensorBoardEvents.Write(output.Path, steps, report);
        File.WriteAllText(output[MetricsFile], Json.Indented(report));
        output.Commit();
        Show(report);
        return report;
    }

    // The rows that train held out with this seed are held out here: the model has seen none of them.
    private (PreferencePair[] Train, PreferencePair[] HeldOut) ReadPairs()
    {
        RowSet rows = RowFile.ReadOrDocumentation(settings.DataFile, settings.Columns);
        Row[] shuffled = [.. rows.Rows];
        new Random(settings.Seed).Shuffle(shuffled);
        int count = RowSplit.CountHeldOut(shuffled.Length);
        // No more than the steps will see: what the reference says of every pair is measured before the first.
        PreferencePair[] train = [.. PreferencePairs.Of(shuffled[count..]).Take((int)Math.Min(int.MaxValue, (long)settings.Steps * settings.BatchSize))], heldOut = [.. PreferencePairs.Of(shuffled[..count]).Take(settings.EvaluationPairs)];
        return train.Length > 0 && heldOut.Length > 0 ? (train, heldOut)
            : throw new UserErrorException($"{settings.DataFile ?? rows.Source} gives {train.Length} pairs to train on and {heldOut.Length} held out; expected completions of more than one sentence, whose first one is the preferred summary.");
    }

    private CausalLanguageModelTransformer Fit(MLContext mlContext, CausalLanguageModelTransformer reference, IDataView rows, List<StepReport> steps) => ProgressDisplay.Run(console, "training", show =>
    {
        using CancellationTokenRegistration stopping = stopToken.Register(() =>
            console.WriteLine("Training stops after the current step; the model so far is measured and saved. Press Ctrl+C again to cancel."));
        PreferenceTrainer.Options options = new()
        {
            Columns = settings.Method.IsPaired ? InputColumns.Pairs(chosen: nameof(PreferencePair.Completion)) : InputColumns.Labelled(),
            Method = settings.Method,
            Model = LanguageModel.Trained(reference),
            BatchSize = settings.BatchSize,
            LearningRate = settings.LearningRate,
            MaximumSteps = settings.Steps,
            Seed = settings.Seed,
            CancellationToken = cancellationToken,
            StopToken = stopToken,
            Progress = new Reporter(step =>
            {
                steps.Add(step);
                show(new JobProgress(step.Progress, step.Elapsed, FormattableString.Invariant(
                    $"step {step.Step}  loss {step.Loss:0.000}  margin {step.Preference?.RewardMargin:0.000}  accuracy {step.Accuracy:0.00}  {step.TokensPerSecond:N0} tokens/s")));
            }),
        };
        try
        {
            return mlContext.CausalLanguageModeling.Trainers.Preference(options).Fit(rows);
        }
        catch (ArgumentException e)
        {
            throw UserErrorException.From(e);
        }
    });

    // As train writes its samples: a small model that always takes the most probable token repeats itself up to the limit.
    private IReadOnlyList<string> Write(MLContext mlContext, CausalLanguageModelTransformer model, PreferencePair[] heldOut, CancellationToken token) =>
        mlContext.CausalLanguageModeling.CreateTextGenerator(model)
            .Generate([.. heldOut.Select(pair => pair.Prompt)], SampleGenerator.Options with { MaximumNewTokens = LongestText, Seed = settings.Seed }, token);

    // What KTO rewards, DPO does too, and it measures pairs.
    private PreferFigures Measure(
        MLContext mlContext, CausalLanguageModelTransformer model, CausalLanguageModelTransformer reference, PreferencePair[] heldOut, IReadOnlyList<string> texts, CancellationToken token)
    {
        PreferenceMethod method = settings.Method is PreferenceMethod.KtoMethod kto ? PreferenceMethod.Dpo(kto.Beta) : settings.Method;
        IDataView pairs = mlContext.Data.LoadFromEnumerable(heldOut);
        InputColumns columns = InputColumns.Pairs(chosen: nameof(PreferencePair.Completion));
        return PreferFigures.From(mlContext.CausalLanguageModeling.EvaluatePreference(pairs, model, reference, columns, method, token), texts);
    }

    private IDataView Rows(MLContext mlContext, PreferencePair[] pairs) => settings.Method.IsPaired ? mlContext.Data.LoadFromEnumerable(pairs)
        : mlContext.Data.LoadFromEnumerable(pairs.SelectMany(pair => new[] { new LabelledRow(pair.Prompt, pair.Completion, true), new LabelledRow(pair.Prompt, pair.Rejected, false) }).ToArray());

    private void Show(PreferReport report)
    {
        foreach (PreferSample sample in report.Samples)
        {
            console.WriteLine();
            console.MarkupLineInterpolated($"[dim]prompt:[/] {sample.Prompt}");
            console.MarkupLineInterpolated($"[dim]before:[/] {sample.Before.ReplaceLineEndings(" ")}");
            console.MarkupLineInterpolated($"[dim]after:[/]  {sample.After.ReplaceLineEndings(" ")}");
        }
        Table table = new Table().Border(TableBorder.Rounded).AddColumn("held-out pairs").AddColumn(new TableColumn("before").RightAligned()).AddColumn(new TableColumn("after").RightAligned());
        foreach ((string name, Func<PreferFigures, string> value) in new (string, Func<PreferFigures, string>)[]
        {
            ("mean length written (characters)", figures => FormattableString.Invariant($"{figures.MeanLength:0.0}")),
            ("accuracy", figures => FormattableString.Invariant($"{100 * figures.Accuracy:0.0} %")),
            ("reward margin", figures => FormattableString.Invariant($"{figures.RewardMargin:0.000}")),
            ("loss", figures => FormattableString.Invariant($"{figures.Loss:0.0000}")),
            ("log-probability, chosen", figures => FormattableString.Invariant($"{figures.ChosenLogProbability:0.0}")),
            ("log-probability, rejected", figures => FormattableString.Invariant($"{figures.RejectedLogProbability:0.0}")),
        })
        {
            table.AddRow(name, value(report.Before), value(report.After));
        }
        console.WriteLine();
        console.Write(table);
        console.WriteLine(FormattableString.Invariant($"{report.Steps:N0} steps in {report.TrainingSeconds:0} seconds, {report.TargetTokensPerSecond:N0} target tokens per second"));
        console.WriteLine($"Written to {settings.OutputFolder}: {ModelFile}, {MetricsFile}, a TensorBoard event file");
    }

    private sealed record LabelledRow(string Prompt, string Completion, bool Label);

    private sealed class Reporter(Action<StepReport> report) : IProgress<StepReport>
    {
        public void Report(StepReport value) => report(value);
    }
}
