using System.Globalization;

namespace Samples.Reporting;

/// <summary>The page that shows how a training went: loss, learning rate, gradient norm and tokens per second of every step.</summary>
internal static class LossCurvePage
{
    private const int MaximumPoints = 2000;

    /// <summary>Renders the page.</summary>
    /// <param name="report">The training's figures.</param>
    /// <param name="settings">How it was trained.</param>
    /// <param name="curve">Its steps.</param>
    public static string Render(TrainReport report, SettingsReport settings, IReadOnlyList<CurvePoint> curve)
    {
        string subtitle = string.Create(CultureInfo.InvariantCulture,
            $"{report.Steps:N0} steps, {report.TargetTokens:N0} target tokens, {TimeSpan.FromSeconds(report.TrainingSeconds):m\\:ss} minutes. Point at a step, or use the arrow keys on a chart, to read its values; drag to zoom, double-click to reset.");
        CurvePoint[] points = [.. ChartData.ThinIndices(curve.Count, MaximumPoints).Select(i => curve[i])];
        ChartData charts = points.Length == 0 ? new ChartData([], []) : CreateCharts(report, points);
        return new HtmlPage($"Training on {report.Data.Source}", subtitle, Tiles(report), charts, Details(report, settings)).Render();
    }

    private static IEnumerable<(string Figure, string Label)> Tiles(TrainReport report)
    {
        MetricsReport before = report.Before, after = report.After;
        yield return (Change(before.BitsPerByte, after.BitsPerByte), "bits per byte, held out");
        yield return (Change(before.Loss, after.Loss), "loss, nats per token, held out");
        yield return (Change(before.Perplexity, after.Perplexity), "perplexity, held out");
        yield return (report.TargetTokensPerSecond.ToString("N0", CultureInfo.InvariantCulture), "target tokens per second");
    }

    private static string Change(double before, double after) => string.Create(CultureInfo.InvariantCulture, $"{before:0.00} \u2192 {after:0.00}");

    // Step 0 is there for the loss before training.
    private static ChartData CreateCharts(TrainReport report, CurvePoint[] points)
    {
        double?[] heldOut = [report.Before.Loss, .. new double?[points.Length - 1], report.After.Loss];
        LineChart[] charts =
        [
            LineChart.Linear("Loss, nats per token", 320, 1,
                Line("each step", "accent", point => point.Loss) with { Width = 1, Opacity = 0.4 },
                Line("smoothed", "accent", point => point.Smoothed) with { Width = 2.2 },
                new ChartLine("held-out rows", "second", heldOut) { Isolated = true }),
            LineChart.Linear("Learning rate", 170, 1, Line("learning rate", "second", point => point.LearningRate)),
            LineChart.Linear("Gradient norm, before clipping", 170, 0.995, Line("gradient norm", "accent", point => point.GradientNorm) with { Width = 1 }),
            LineChart.Linear("Target tokens per second", 170, 0.995, Line("tokens per second", "third", point => point.TokensPerSecond) with { Width = 1 }),
        ];
        return new ChartData([0, .. points.Select(point => point.Step)], charts, [0, .. points.Select(point => point.Seconds)]);

        ChartLine Line(string label, string color, Func<CurvePoint, double> value) => new(label, color, [null, .. points.Select(point => (double?)value(point))]);
    }

    private static string Details(TrainReport report, SettingsReport settings)
    {
        string microBatches = settings.MicroBatchTokens is { } most ? $"of at most {most} tokens" : "of the size that was fastest";
        (string Name, string Value)[] facts =
        [
            ("Model", $"{settings.Layers} layers, {settings.Heads} heads, width {settings.Width}, context {settings.Context} tokens"),
            ("Step", $"{settings.BatchSize} rows; micro-batches {microBatches}; loss normalization {settings.LossNormalization}"),
            ("Learning rate, seed", Invariant($"{settings.LearningRate}, {settings.Seed}")),
            ("Rows", Invariant($"{report.Data.TrainingRows:N0} to train on, {report.Data.HeldOutRows:N0} held out; {report.Data.EvaluatedRows:N0} of these evaluated ({report.After.Tokens:N0} tokens)")),
            ("Device, peak memory", Invariant($"{settings.Device}, {report.PeakMemoryMiB:N0} MiB")),
            .. report.Packages.Select(package => (package.Key, package.Value)),
        ];
        return $"<dl>\n{string.Join("\n", facts.Select(fact => $"<dt>{HtmlPage.Encode(fact.Name)}</dt><dd>{HtmlPage.Encode(fact.Value)}</dd>"))}\n</dl>";
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
