using MLNetExtension.Data;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tokenization.Bytes;
using Samples.Comparison;
using Samples.Reporting;
using Samples.Text;
using Spectre.Console;

namespace Samples.Jobs;

/// <summary>Trains a small model on real rows under every policy and cut, and shows how far each strays from the full batch.</summary>
internal sealed class CompareAccumulationJob(CompareAccumulationSettings settings, IAnsiConsole console, CancellationToken cancellationToken)
{
    private const string PageFile = "accumulation.html";

    /// <summary>Runs the job; its page stands in the output folder when it returns, and only then.</summary>
    /// <exception cref="UserErrorException">The settings or the rows cannot be used.</exception>
    /// <exception cref="OperationCanceledException">Ctrl+C.</exception>
    public IReadOnlyList<AccumulationReport> Run()
    {
        Gpt2Configuration model = settings.ToModel();
        using var output = new OutputFolder(settings.OutputFolder, name => name == PageFile);
        RowSet rows = settings.DataFile is null ? ApiDocumentation.Read(ReferencePack.Find()) : RowFile.Read(settings.DataFile, settings.Columns).WithoutChats();
        TokenExample[] examples = Encode(rows);
        AccumulationComparisonSettings comparison = settings.Comparison;
        if (examples.Length < comparison.WindowRows)
            throw new UserErrorException($"{settings.DataFile ?? rows.Source} has {examples.Length} rows with text to learn within {settings.Context} tokens; a window needs {comparison.WindowRows}.");

        string description = FormattableString.Invariant(
            $"{model.Layers} layers, width {model.Width}, {comparison.Precision}; {comparison.Steps} steps of {comparison.WindowRows} rows, order within a window: {comparison.Order}; AdamW, learning rate {comparison.LearningRate}, no clipping");
        console.WriteLine(FormattableString.Invariant($"Rows: {examples.Length:N0} from {rows.Source}"));
        console.WriteLine($"Model: {description}");
        IReadOnlyList<AccumulationRun> runs = new AccumulationDisplay(console).Run(progress => AccumulationComparison.Run(model, examples, comparison, progress, cancellationToken));
        IReadOnlyList<AccumulationReport> reports = [.. runs.Select(AccumulationReport.From)];
        if (runs.FirstOrDefault(run => !double.IsFinite(run.Loss + run.WeightDistance)) is { } lost)
            throw new JobFailedException($"Loss or weights of {lost.Normalization} {lost.Cut} are no longer finite; nothing was written. A lower --learning-rate may help.");

        File.WriteAllText(output[PageFile], AccumulationPage.Render(rows.Source, description, runs));
        output.Commit();
        AccumulationTable.Write(console, runs);
        console.WriteLine($"Written to {settings.OutputFolder}: {PageFile}");
        return reports;
    }

    private TokenExample[] Encode(RowSet rows)
    {
        var encoder = new TokenExampleEncoder(new ByteLevelTokenizer(), settings.Context);
        return [.. rows.Rows.Select((row, i) => encoder.Encode(new MLNetExtension.Data.TextRow(row.Prompt, row.Completion), i)).Where(example => example.HasTargets)];
    }
}
