using Microsoft.ML;
using Samples.Errors;
using Samples.Reporting;
using Samples.Text;

namespace Samples.Jobs;

/// <summary>The rows of a job, shuffled and split into training rows and held-out rows.</summary>
/// <param name="Kind">What a row is.</param>
/// <param name="Train">The training rows.</param>
/// <param name="Evaluated">The held-out rows that are evaluated.</param>
/// <param name="HeldOut">All held-out rows.</param>
/// <param name="Report">How many there are of each.</param>
internal sealed record RowSplit(RowKind Kind, IDataView Train, IDataView Evaluated, IReadOnlyList<Row> HeldOut, DataReport Report)
{
    private const int MinimumRows = 10;

    /// <summary>Splits rows; the same rows and seed give the same split.</summary>
    /// <param name="mlContext">Creates the data views.</param>
    /// <param name="rows">All rows.</param>
    /// <param name="seed">Decides which rows are held out.</param>
    /// <param name="evaluationRows">Maximum number of evaluated rows.</param>
    /// <param name="file">Where the rows were read, for the message; null for the description of their source.</param>
    /// <exception cref="UserErrorException">There are too few rows.</exception>
    public static RowSplit Create(MLContext mlContext, RowSet rows, int seed, int evaluationRows, string? file)
    {
        if (rows.Rows.Count < MinimumRows)
            throw new UserErrorException($"{file ?? rows.Source} has {rows.Rows.Count} rows with text; at least {MinimumRows} are needed, because some are held out.");
        // Shuffled, so that the first of the held-out rows are a fair sample of them.
        Row[] shuffled = [.. rows.Rows];
        new Random(seed).Shuffle(shuffled);
        IDataView view = RowDataView.Create(mlContext, rows with { Rows = shuffled });
        DataOperationsCatalog.TrainTestData split = mlContext.Data.TrainTestSplit(view, testFraction: shuffled.Length < 200 ? 0.2 : 0.1, seed: seed);
        IReadOnlyList<Row> heldOut = RowDataView.Read(mlContext, split.TestSet, rows.Kind);
        var report = new DataReport(rows.Source, shuffled.Length, rows.Skipped, shuffled.Length - heldOut.Count, heldOut.Count, Math.Min(heldOut.Count, evaluationRows));
        if (report.TrainingRows == 0 || report.HeldOutRows == 0)
            throw new UserErrorException($"{report.Rows} rows are too few: the split leaves {report.TrainingRows} to train on and {report.HeldOutRows} held out; add rows or choose another --seed.");
        return new RowSplit(rows.Kind, split.TrainSet, mlContext.Data.TakeRows(split.TestSet, evaluationRows), heldOut, report);
    }

    /// <summary>The counts in one line.</summary>
    public string Describe() => FormattableString.Invariant(
        $"Rows: {Report.Rows:N0} from {Report.Source} ({Report.SkippedRows:N0} more are empty or duplicates); {Report.TrainingRows:N0} to train on, {Report.HeldOutRows:N0} held out");

    /// <summary>Evaluates a model on held-out rows.</summary>
    public MetricsReport Evaluate(MLContext mlContext, ITransformer model) => MetricsReport.From(mlContext.CausalLanguageModeling.Evaluate(model.Transform(Evaluated)));
}
