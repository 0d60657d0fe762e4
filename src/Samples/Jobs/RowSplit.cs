using Microsoft.ML;
using Samples.Errors;
using Samples.Reporting;
using Samples.Text;

namespace Samples.Jobs;

/// <summary>The rows of a job, shuffled and split into training rows and held-out rows, of which the first are evaluated.</summary>
internal sealed record RowSplit(RowKind Kind, IDataView Train, IDataView Evaluated, IReadOnlyList<Row> HeldOut, DataReport Report)
{
    private const int MinimumRows = 10;

    /// <summary>Splits rows; the same rows and seed give the same split.</summary>
    /// <exception cref="UserErrorException">There are too few rows.</exception>
    public static RowSplit Create(MLContext mlContext, RowSet rows, TrainingSettings settings)
    {
        int count = rows.Rows.Count;
        if (count < MinimumRows)
            throw new UserErrorException($"{settings.DataFile ?? rows.Source} has {count} rows with text; at least {MinimumRows} are needed, because some are held out.");
        Row[] shuffled = [.. rows.Rows];
        new Random(settings.Seed).Shuffle(shuffled);
        Row[] heldOut = shuffled[..CountHeldOut(count)], train = shuffled[heldOut.Length..], evaluated = [.. heldOut.Take(settings.EvaluationRows)];
        var report = new DataReport(rows.Source, count, rows.Skipped, train.Length, heldOut.Length, evaluated.Length);
        return new RowSplit(rows.Kind, RowDataView.Create(mlContext, train, rows.Kind), RowDataView.Create(mlContext, evaluated, rows.Kind), heldOut, report);
    }

    /// <summary>How many of some rows are held out.</summary>
    public static int CountHeldOut(int rows) => rows < 200 ? rows / 5 : rows / 10;

    /// <summary>The counts in one line.</summary>
    public string Describe() => FormattableString.Invariant(
        $"Rows: {Report.Rows:N0} from {Report.Source} ({Report.SkippedRows:N0} more are empty or duplicates); {Report.TrainingRows:N0} to train on, {Report.HeldOutRows:N0} held out");

    /// <summary>Evaluates a model on held-out rows.</summary>
    public MetricsReport Evaluate(MLContext mlContext, TrainedModel model) => Evaluate(mlContext, model.Transformer, Evaluated);

    /// <summary>Evaluates a model on rows.</summary>
    public static MetricsReport Evaluate(MLContext mlContext, ITransformer model, IDataView rows) => MetricsReport.From(mlContext.CausalLanguageModeling.Evaluate(model.Transform(rows)));
}
