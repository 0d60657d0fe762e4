using Microsoft.ML;
using Samples.Reporting;
using Samples.Text;

namespace Samples.Jobs;

/// <summary>The rows of a job, mixed and split into those that are learnt and those that are held out.</summary>
/// <param name="Train">What is learnt.</param>
/// <param name="Evaluated">The held-out rows that metrics are measured on.</param>
/// <param name="HeldOut">All held-out rows.</param>
/// <param name="Report">How many there are of each.</param>
internal sealed record RowSplit(IDataView Train, IDataView Evaluated, IReadOnlyList<Row> HeldOut, DataReport Report)
{
    private const int FewestRows = 10;

    /// <summary>Splits rows; the same rows and seed give the same split.</summary>
    /// <param name="mlContext">Makes the data views.</param>
    /// <param name="rows">All rows.</param>
    /// <param name="seed">Decides which are held out.</param>
    /// <param name="evaluationRows">Most held-out rows to evaluate on.</param>
    /// <param name="file">Where they were read, for the message; null for what they say of themselves.</param>
    /// <exception cref="UserErrorException">There are too few.</exception>
    public static RowSplit Create(MLContext mlContext, RowSet rows, int seed, int evaluationRows, string? file)
    {
        if (rows.Rows.Count < FewestRows)
            throw new UserErrorException($"{file ?? rows.Source} has {rows.Rows.Count} rows with text; at least {FewestRows} are needed, because some are held out.");
        // Mixed, so that the first of the held-out rows are a fair sample of them.
        Row[] mixed = [.. rows.Rows];
        new Random(seed).Shuffle(mixed);
        DataOperationsCatalog.TrainTestData split = mlContext.Data.TrainTestSplit(RowViews.Load(mlContext, rows with { Rows = mixed }), testFraction: mixed.Length < 200 ? 0.2 : 0.1, seed: seed);
        IReadOnlyList<Row> heldOut = RowViews.ToRows(mlContext, split.TestSet, rows.Kind);
        var report = new DataReport(rows.Source, mixed.Length, rows.Skipped, mixed.Length - heldOut.Count, heldOut.Count, Math.Min(heldOut.Count, evaluationRows));
        if (report.TrainingRows == 0 || report.HeldOutRows == 0)
            throw new UserErrorException($"{report.Rows} rows are too few: the split leaves {report.TrainingRows} to train on and {report.HeldOutRows} held out; add rows or choose another --seed.");
        return new RowSplit(split.TrainSet, mlContext.Data.TakeRows(split.TestSet, evaluationRows), heldOut, report);
    }

    /// <summary>The counts in one line.</summary>
    public string Describe() => FormattableString.Invariant(
        $"Rows: {Report.Rows:N0} from {Report.Source} ({Report.SkippedRows:N0} more are empty or repeat a text); {Report.TrainingRows:N0} to train on, {Report.HeldOutRows:N0} held out");

    /// <summary>Measures a model on the held-out rows.</summary>
    public MetricsReport Evaluate(MLContext mlContext, ITransformer model) => MetricsReport.From(mlContext.CausalLanguageModeling.Evaluate(model.Transform(Evaluated)));
}
