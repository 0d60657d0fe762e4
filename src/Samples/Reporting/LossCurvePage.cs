using System.Globalization;
using System.Text.Json;

namespace Samples.Reporting;

/// <summary>The page that shows how a training went: loss, learning rate, gradient norm and tokens per second of every step.</summary>
internal static class LossCurvePage
{
    private const int MaximumPoints = 2000;

    /// <summary>Renders the page.</summary>
    public static string Render(TrainReport report, IReadOnlyList<CurvePoint> curve)
    {
        string subtitle = string.Create(CultureInfo.InvariantCulture,
            $"{report.Steps:N0} steps, {report.TargetTokens:N0} target tokens, {TimeSpan.FromSeconds(report.TrainingSeconds):m\\:ss} minutes. Point at a step, or use the arrow keys on a chart, to read its values; drag to zoom, double-click to reset.");
        CurvePoint[] points = [.. ChartData.ThinIndices(curve.Count, MaximumPoints).Select(i => curve[i])];
        ChartData charts = points.Length == 0 ? new ChartData([], []) : CreateCharts(report, points);
        return new HtmlPage($"Training on {report.Data.Source}", subtitle, Tiles(report), charts, Details(report)).Render();
    }

    private static IEnumerable<(string Figure, string Label)> Tiles(TrainReport report)
    {
        yield return (Change(report, metrics => metrics.BitsPerByte), "bits per byte, held out");
        yield return (Change(report, metrics => metrics.Loss), "loss, nats per token, held out");
        yield return (Change(report, metrics => metrics.Perplexity), "perplexity, held out");
        yield return (report.TargetTokensPerSecond.ToString("N0", CultureInfo.InvariantCulture), "target tokens per second");
    }

    private static string Change(TrainReport report, Func<MetricsReport, double> value)
    {
        string after = report.After is null ? "?" : Invariant($"{value(report.After):0.00}");
        return Invariant($"{value(report.Before):0.00} \u2192 {after}");
    }

    // Step 0 is there for the loss before training.
    private static ChartData CreateCharts(TrainReport report, CurvePoint[] points)
    {
        double?[] heldOut = [report.Before.Loss, .. new double?[points.Length - 1], report.After?.Loss];
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

    private static string Details(TrainReport report)
    {
        (string Name, string Value)[] facts =
        [
            .. JsonSerializer.SerializeToElement(report.Settings, Json.Options).EnumerateObject().Select(setting => (setting.Name, setting.Value.ToString())),
            ("rows", Invariant($"{report.Data.TrainingRows:N0} to train on, {report.Data.HeldOutRows:N0} held out; {report.Data.EvaluatedRows:N0} of these evaluated ({report.Before.Tokens:N0} tokens)")),
            ("peak memory", Invariant($"{report.PeakMemoryMiB:N0} MiB")),
            .. report.Packages.Select(package => (package.Key, package.Value)),
        ];
        return $"<dl>\n{string.Join("\n", facts.Select(fact => $"<dt>{HtmlPage.Encode(fact.Name)}</dt><dd>{HtmlPage.Encode(fact.Value)}</dd>"))}\n</dl>";
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
