using MLNetExtension.Data;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tokenization.Bytes;
using Samples.Errors;
using Samples.Reporting;
using Samples.Text;
using Spectre.Console;

namespace Samples.Comparison;

/// <summary>Trains a small model on real rows with every normalization and split, and shows how far each strays from the full batch.</summary>
internal sealed class CompareAccumulationJob(ComparisonSettings settings, IAnsiConsole console, CancellationToken cancellationToken)
{
    private const string PageFile = "accumulation.html";

    /// <summary>Runs the job; the page is put into the output folder only if the job succeeds.</summary>
    /// <exception cref="UserErrorException">The settings or the rows cannot be used.</exception>
    /// <exception cref="JobFailedException">Loss or weights of a run are no longer finite.</exception>
    /// <exception cref="OperationCanceledException">The job was cancelled.</exception>
    /// <returns>Null on a rank other than the first, which alone writes.</returns>
    public IReadOnlyList<AccumulationReport>? Run()
    {
        Gpt2Configuration model = settings.CreateModelConfiguration();
        bool isFirst = settings.Ranks is null or { Rank: 0 };
        using OutputFolder? output = isFirst ? new OutputFolder(settings.OutputFolder, name => name == PageFile) : null;
        RowSet rows = RowFile.ReadOrDocumentation(settings.DataFile, settings.Columns);
        TokenExample[] examples = Encode(rows, model.ContextLength);
        if (examples.Length < settings.BatchSize)
            throw new UserErrorException($"{settings.DataFile ?? rows.Source} has {examples.Length} rows with target tokens within {model.ContextLength} tokens; a batch needs {settings.BatchSize}.");

        string description = Invariant($"{model.Layers} layers, width {model.Width}, vocabulary {model.VocabularySize:N0}, {settings.Precision}; {settings.Steps} steps of {settings.BatchSize} rows, order within a batch: {settings.Order}; ")
            + Invariant($"AdamW, learning rate {settings.LearningRate}, {(settings.MaximumGradientNorm > 0 ? FormattableString.Invariant($"clipped to {settings.MaximumGradientNorm}") : "no clipping")}");
        console.WriteLine(Invariant($"Rows: {examples.Length:N0} from {rows.Source}"));
        console.WriteLine($"Model: {description}");
        IReadOnlyList<AccumulationRun> runs = ProgressDisplay.Run(console, "comparing", show =>
            AccumulationComparison.Run(model, examples, settings, progress => show(progress.ToJobProgress()), cancellationToken));
        if (runs.FirstOrDefault(run => !double.IsFinite(run.Loss + run.WeightDistance)) is { } failed)
            throw new JobFailedException($"Loss or weights of {failed.Normalization} {failed.Split} are no longer finite; nothing was written. A lower --learning-rate may help.");

        if (output is null)
            return null;
        File.WriteAllText(output[PageFile], AccumulationPage.Render(rows.Source, description, runs));
        output.Commit();
        AccumulationTable.Write(console, runs);
        console.WriteLine($"Written to {settings.OutputFolder}: {PageFile}");
        return [.. runs.Select(AccumulationReport.From)];
    }

    private static TokenExample[] Encode(RowSet rows, int context)
    {
        var encoder = new TokenExampleEncoder(new ByteLevelTokenizer(), context);
        IEnumerable<TokenExample> examples = rows.Rows.Select((row, i) => encoder.Encode(new TextRow(row.Prompt, row.Completion), i));
        return [.. examples.Where(example => example.HasTargets)];
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
