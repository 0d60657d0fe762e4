using System.Globalization;
using System.Net;

namespace Samples.Reporting;

/// <summary>A page, in one file without outside resources, that shows how a training went.</summary>
internal static class LossCurvePage
{
    /// <summary>More points than a screen has columns add nothing but size.</summary>
    private const int MaximumPoints = 2000;

    public static string Render(TrainReport report, IReadOnlyList<CurvePoint> curve)
    {
        IReadOnlyList<CurvePoint> points = Thin(curve);
        var parts = new Dictionary<string, string>
        {
            ["title"] = Text(report.Data.Source),
            ["subtitle"] = Text(string.Create(CultureInfo.InvariantCulture,
                $"{report.Steps:N0} steps, {report.TargetTokens:N0} target tokens, {TimeSpan.FromSeconds(report.TrainingSeconds):m\\:ss} minutes; loss in nats per token, thin: each step, thick: smoothed")),
            ["tiles"] = Tiles(report),
            ["charts"] = Charts(points),
            ["facts"] = Facts(report),
            ["points"] = points.Count > 0 ? Json.Compact(points) : Json.Compact(new[] { default(CurvePoint) }),
            ["width"] = Number(Chart.Width),
            ["left"] = Number(Chart.Left),
            ["right"] = Number(Chart.Right),
        };
        return PageTemplate.Fill("loss-curve.html", parts);
    }

    private static string Tiles(TrainReport report)
    {
        MetricsReport before = report.Before, after = report.After;
        return string.Concat(
            Tile("bits per byte, held out", Change(before.BitsPerByte, after.BitsPerByte)),
            Tile("loss, nats per token, held out", Change(before.Loss, after.Loss)),
            Tile("perplexity, held out", Change(before.Perplexity, after.Perplexity)),
            Tile("target tokens a second", report.TargetTokensPerSecond.ToString("N0", CultureInfo.InvariantCulture)));
    }

    private static string Tile(string what, string value) => $"""<div class="tile"><b>{Text(value)}</b><span>{Text(what)}</span></div>""" + "\n";

    private static string Change(double before, double after) => string.Create(CultureInfo.InvariantCulture, $"{before:0.00} \u2192 {after:0.00}");

    private static string Charts(IReadOnlyList<CurvePoint> points)
    {
        if (points.Count == 0)
            return """<div class="card"><p>No step was taken.</p></div>""";
        int[] steps = [.. points.Select(point => point.Step)];
        Chart[] charts =
        [
            new("Training loss", "0.0##", 340, steps, new("raw", [.. points.Select(point => point.Loss)]), new("smooth", [.. points.Select(point => point.Smoothed)])),
            new("Learning rate", "0.#####", 170, steps, new ChartLine("rate", [.. points.Select(point => point.LearningRate)])),
            new("Gradient norm, before clipping", "0.0##", 170, steps, new ChartLine("norm", [.. points.Select(point => point.GradientNorm)])) { Shown = 0.995 },
        ];
        return string.Join("\n", charts.Select(chart => $"""<div class="card">{chart.ToSvg()}</div>"""));
    }

    private static string Facts(TrainReport report)
    {
        SettingsReport settings = report.Settings;
        (string Name, string Value)[] facts =
        [
            ("Model", $"{settings.Layers} layers, {settings.Heads} heads, width {settings.Width}, context {settings.Context} tokens"),
            ("Step", Invariant($"{settings.BatchSize} rows; micro-batches {(settings.MicroBatchTokens is { } most ? $"of at most {most} tokens" : "of the size that was fastest")}; loss normalization {settings.LossNormalization}")),
            ("Learning rate, seed", Invariant($"{settings.LearningRate}, {settings.Seed}")),
            ("Rows", Invariant($"{report.Data.TrainingRows:N0} to train on, {report.Data.HeldOutRows:N0} held out, of them {report.Data.EvaluatedRows:N0} evaluated ({report.After.Tokens:N0} tokens)")),
            ("Device, peak memory", Invariant($"{settings.Device}, {report.PeakMemoryMiB:N0} MiB")),
            .. report.Packages.Select(package => (package.Key, package.Value)),
        ];
        return string.Join("\n", facts.Select(fact => $"<dt>{Text(fact.Name)}</dt><dd>{Text(fact.Value)}</dd>"));
    }

    /// <summary>Every k-th point and the last.</summary>
    private static IReadOnlyList<CurvePoint> Thin(IReadOnlyList<CurvePoint> curve)
    {
        int every = 1 + (curve.Count - 1) / MaximumPoints;
        return [.. curve.Where((_, i) => i % every == 0 || i == curve.Count - 1)];
    }

    private static string Text(string text) => WebUtility.HtmlEncode(text);

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
