using System.Globalization;
using System.Text.Json;
using MLNetExtension.Training.Reports;

namespace Samples.Reporting;

/// <summary>The page that shows how a training went: the charts of its steps, what the model wrote meanwhile, and its settings.</summary>
internal static class TrainingReportPage
{
    private const int MaximumPoints = 1500;
    private const int MaximumEvaluations = 8;

    /// <summary>Renders the page.</summary>
    /// <param name="report">What the training gave.</param>
    /// <param name="curve">Its steps.</param>
    /// <param name="files">The names of files beside the page that it links to.</param>
    public static string Render(TrainReport report, TrainingCurve curve, IReadOnlyList<string> files)
    {
        string subtitle = Invariant(
            $"{report.Steps:N0} steps, {report.TargetTokens:N0} target tokens, {TimeSpan.FromSeconds(report.TrainingSeconds):m\\:ss} minutes. Point at a step, or use the arrow keys on a chart, to read its values; drag to zoom, double-click to reset.");
        ChartData charts = curve.Points.Count == 0 ? new ChartData([], []) : CreateCharts(report, CurveBin.Divide(curve.Points, MaximumPoints));
        IEnumerable<string> cards = [.. SamplesMeanwhile(report, curve), .. SamplesAfter(report), Details(report, files)];
        return new HtmlPage($"Training on {report.Data.Source}", subtitle, Tiles(report, curve), charts, cards).Render();
    }

    private static IEnumerable<(string Figure, string Label)> Tiles(TrainReport report, TrainingCurve curve)
    {
        yield return (Change(report, metrics => metrics.BitsPerByte), "bits per byte, held out");
        yield return (Change(report, metrics => metrics.Loss), "loss, nats per token, held out");
        yield return (Change(report, metrics => metrics.Perplexity), "perplexity, held out");
        yield return (report.TargetTokensPerSecond.ToString("N0", CultureInfo.InvariantCulture), "target tokens per second");
        yield return (Invariant($"{report.PeakMemoryMiB:N0} MiB"), "peak memory of the process");
        if (Utilization(curve) is { } utilization)
            yield return (Invariant($"{100 * utilization:0} %"), "model FLOP utilization");
    }

    // Of all steps together, evaluations left out.
    private static double? Utilization(TrainingCurve curve) => curve.Points.Count == 0 ? null : RecentSteps.Of([.. curve.Points.Select(point => point.Report)]).Utilization;

    private static string Change(TrainReport report, Func<MetricsReport, double> value)
    {
        string after = report.After is null ? "?" : Invariant($"{value(report.After):0.00}");
        return Invariant($"{value(report.Before):0.00} \u2192 {after}");
    }

    // Step 0 is there for the loss before training.
    private static ChartData CreateCharts(TrainReport report, IReadOnlyList<CurveBin> bins)
    {
        double?[] heldOut = [report.Before.Loss, .. new double?[bins.Count - 1], report.After?.Loss];
        ChartLine validation = Line("validation", "third", bin => bin.Last.Report.ValidationLoss) with { Connected = true };
        ChartLine[] losses =
        [
            Line("each step", "accent", bin => bin.Loss) with { Width = 1, Opacity = 0.4 },
            Line("smoothed", "accent", bin => bin.Last.SmoothedLoss) with { Width = 2.2 },
            .. validation.Values.Any(value => value is not null) ? (ChartLine[])[validation] : [],
            new ChartLine("held-out rows", "second", heldOut) { Isolated = true },
        ];
        string recent = Invariant($"mean of {RecentSteps.Count} steps");
        List<LineChart> charts =
        [
            LineChart.Linear("Loss, nats per token", 320, 1, losses),
            Half("Learning rate", 1, Line("learning rate", "second", bin => bin.Last.Report.LearningRate)),
            Half("Gradient norm, before clipping", 0.995, Line("gradient norm", "accent", bin => bin.GradientNorm) with { Width = 1 }),
            Half("Target tokens per second", 0.995, Line(recent, "third", bin => bin.Last.Recent.TokensPerSecond)),
        ];
        if (bins[0].Last.Report.MatrixPeak is { } peak)
            charts.Add(Half(Invariant($"Model FLOP utilization, % of {peak / 1e9:N0} GFLOP/s"), 0.995, Line(recent, "accent", bin => 100 * bin.Last.Recent.Utilization)));
        if (bins.Any(bin => bin.Last.Recent.PaddingShare > 0))
            charts.Add(Half("Padding, % of the positions computed", 1, Line(recent, "second", bin => 100 * bin.Last.Recent.PaddingShare)));
        charts.Add(Half("Memory, MiB", 1, MemoryLines(bins)));
        return new ChartData([0, .. bins.Select(bin => bin.Last.Report.Step)], charts, [0, .. bins.Select(bin => bin.Last.Report.Elapsed.TotalSeconds)]);

        ChartLine Line(string label, string color, Func<CurveBin, double?> value) => LineOf(bins, label, color, value);
    }

    private static ChartLine[] MemoryLines(IReadOnlyList<CurveBin> bins)
    {
        ChartLine device = LineOf(bins, "GPU", "third", bin => bin.Last.Report.Memory.DeviceMiB);
        return
        [
            LineOf(bins, "process", "accent", bin => bin.ResidentMiB),
            LineOf(bins, "its peak", "muted", bin => bin.Last.Report.Memory.PeakResidentMiB) with { Dash = [5, 3] },
            .. device.Values.Any(value => value is not null) ? (ChartLine[])[device] : [],
        ];
    }

    private static LineChart Half(string title, double visible, params ChartLine[] lines) => LineChart.Linear(title, 170, visible, lines) with { IsHalf = true };

    // Six digits are more than a screen shows.
    private static ChartLine LineOf(IReadOnlyList<CurveBin> bins, string label, string color, Func<CurveBin, double?> value) =>
        new(label, color, [null, .. bins.Select(bin => value(bin) is { } number ? double.Parse(number.ToString("G6", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture) : (double?)null)]);

    // The same prompts at every evaluation: one sees what the model has learned. Of many evaluations some are shown, the first and the last among them.
    private static IEnumerable<string> SamplesMeanwhile(TrainReport report, TrainingCurve curve)
    {
        List<(int Step, double Loss, IReadOnlyList<GeneratedSample> Samples)> all =
        [
            .. curve.FirstSamples.Count > 0 ? [(0, report.Before.Loss, curve.FirstSamples)] : ((int, double, IReadOnlyList<GeneratedSample>)[])[],
            .. curve.Points.Where(point => point.Report.Samples.Count > 0).Select(point => (point.Report.Step, point.Report.ValidationLoss!.Value, point.Report.Samples)),
        ];
        if (all.Count == 0)
            yield break;
        var shown = ChartData.ThinIndices(all.Count, MaximumEvaluations).Select(i => all[i]).ToList();
        IEnumerable<string> tables = Enumerable.Range(0, shown[0].Samples.Count).Select(prompt => $"""
            <table class="samples steps">
            <caption>{HtmlPage.Encode(shown[0].Samples[prompt].Prompt.Trim())}</caption>
            <thead><tr><th>step</th><th>loss</th><th>what the model wrote</th></tr></thead>
            <tbody>
            {string.Concat(shown.Select(each => Row(each.Step, each.Loss, each.Samples[prompt].Text)))}</tbody>
            </table>

            """);
        yield return $"<h2>What the model wrote while it was trained</h2>\n<p>From held-out prompts, before the first step and at validations; the loss is that of the held-out or validation rows.</p>\n{string.Concat(tables)}";

        static string Row(int step, double loss, string text) => Invariant($"<tr><td>{step:N0}</td><td>{loss:0.000}</td><td class=\"text\">{HtmlPage.Encode(text.Trim())}</td></tr>\n");
    }

    private static IEnumerable<string> SamplesAfter(TrainReport report)
    {
        if (report.Samples.Count == 0)
            yield break;
        IEnumerable<string> rows = report.Samples.Select(sample => $"<tr>{Cell(sample.Prompt)}{Cell(sample.Generated)}{Cell(sample.Reference)}</tr>\n");
        yield return $"""
            <h2>What the trained model writes</h2>
            <table class="samples">
            <thead><tr><th>held-out prompt</th><th>model</th><th>reference</th></tr></thead>
            <tbody>
            {string.Concat(rows)}</tbody>
            </table>
            """;

        static string Cell(string text) => $"<td class=\"text\">{HtmlPage.Encode(text.Trim())}</td>";
    }

    private static string Details(TrainReport report, IReadOnlyList<string> files)
    {
        (string Name, string Value)[] facts =
        [
            .. JsonSerializer.SerializeToElement(report.Settings, Json.Options).EnumerateObject().Select(setting => (Words(setting.Name), setting.Value.ToString())),
            ("rows", Invariant($"{report.Data.TrainingRows:N0} to train on, {report.Data.HeldOutRows:N0} held out; {report.Data.EvaluatedRows:N0} of these evaluated ({report.Before.Tokens:N0} tokens)")),
            .. report.ValidationLoss is { } loss ? [("lowest validation loss", Invariant($"{loss:0.0000} nats per token, after step {report.BestStep:N0}, whose weights were kept"))] : ((string, string)[])[],
            .. report.Packages.Select(package => (package.Key, package.Value)),
        ];
        string links = string.Join(", ", files.Select(file => $"<a href=\"{HtmlPage.Encode(Uri.EscapeDataString(file))}\">{HtmlPage.Encode(file)}</a>"));
        return $"<h2>Settings</h2>\n<dl>\n{string.Join("\n", facts.Select(fact => $"<dt>{HtmlPage.Encode(fact.Name)}</dt><dd>{HtmlPage.Encode(fact.Value)}</dd>"))}\n<dt>files beside this page</dt><dd>{links}</dd>\n</dl>";
    }

    // "microBatchTokens" as "micro batch tokens".
    private static string Words(string name) => string.Concat(name.Select(c => char.IsUpper(c) ? $" {char.ToLowerInvariant(c)}" : c.ToString()));

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
