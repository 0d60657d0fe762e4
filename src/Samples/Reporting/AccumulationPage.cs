using System.Globalization;
using System.Net;
using Samples.Comparison;

namespace Samples.Reporting;

/// <summary>A page, in one file without outside resources, that shows how far each policy and cut strays from the full batch.</summary>
internal static class AccumulationPage
{
    // More points than a screen has columns add nothing but size; there are two lines for each run.
    private const int MaximumPoints = 1000;

    // Distances are drawn over powers of ten; 0, which is none, lies at the foot.
    private const double Smallest = 1e-17;
    private const string PowerOfTen = "'1e'0.##;'1e-'0.##;'1'";

    public static string Render(string source, string description, IReadOnlyList<AccumulationRun> runs)
    {
        int[] shown = Shown(runs[0].Windows.Count);
        int[] steps = [.. shown.Select(i => i + 1)];
        Curve[] curves = [.. runs.Select((run, i) => Curve.Of(run, CssClass(run, i, runs), shown))];
        var parts = new Dictionary<string, string>
        {
            ["title"] = Text(source),
            ["subtitle"] = Text(description),
            ["tiles"] = Tiles("gradient error", runs, run => run.GradientRelativeError) + Tiles("weight distance", runs, run => run.WeightDistance),
            ["loss"] = new Chart("Loss of each window, nats per target token", "0.0##", 340, steps, [.. curves.Select(curve => new ChartLine(curve.CssClass, curve.Losses))]).ToSvg(),
            ["difference"] = PowersOfTen("Difference of the loss from the full batch's, nats per target token", steps, curves[1..], curve => curve.Losses.Zip(curves[0].Losses, (loss, full) => Math.Abs(loss - full))),
            ["distance"] = PowersOfTen("Distance of the weights from the full batch's, relative", steps, curves[1..], curve => curve.Distances),
            ["rows"] = string.Join("\n", runs.Select((run, i) => Row(run, curves[i].CssClass, i == 0))),
            ["notes"] = string.Join("\n", AccumulationTable.Notes(runs).Select(note => $"<p>{Text(note)}</p>")),
            ["data"] = Json.Compact(new { steps, runs = curves }),
            ["width"] = Number(Chart.Width),
            ["left"] = Number(Chart.Left),
            ["right"] = Number(Chart.Right),
        };
        return PageTemplate.Fill("accumulation.html", parts);
    }

    private static string Tiles(string what, IReadOnlyList<AccumulationRun> runs, Func<AccumulationRun, double> figure) => string.Concat(runs.GroupBy(run => run.Normalization)
        .Select(group => $"""<div class="tile"><b>{AccumulationTable.Figure(group.Max(figure))}</b><span>largest {what}, {group.Key}</span></div>""" + "\n"));

    private static string PowersOfTen(string title, int[] steps, Curve[] curves, Func<Curve, IEnumerable<double>> values) => curves.Length == 0
        ? "<p>There is nothing to compare with the full batch.</p>"
        : new Chart(title, PowerOfTen, 300, steps, [.. curves.Select(curve => new ChartLine(curve.CssClass, [.. values(curve).Select(value => Math.Log10(Math.Max(value, Smallest)))]))]).ToSvg();

    private static string Row(AccumulationRun run, string cssClass, bool isFullBatch) =>
        $"""
        <tr><td><svg class="key" viewBox="0 0 36 8"><polyline class="{cssClass}" points="0,4 36,4"/></svg>{run.Normalization}</td><td>{run.Cut}{(isFullBatch ? " (full batch)" : "")}</td><td>{AccumulationTable.Figure(run.GradientRelativeError)}</td><td>{run.Loss.ToString("0.0000", CultureInfo.InvariantCulture)}</td><td>{AccumulationTable.Figure(run.WeightDistance)}</td><td class="loss"></td><td class="distance"></td></tr>
        """;

    // The colour is the policy's, the dashes are the cut's.
    private static string CssClass(AccumulationRun run, int index, IReadOnlyList<AccumulationRun> runs) => index == 0
        ? "full"
        : $"{run.Normalization} cut{runs.Select(each => each.Cut).Distinct().ToList().IndexOf(run.Cut) % 4}";

    /// <summary>Every k-th step and the last.</summary>
    private static int[] Shown(int count)
    {
        int every = 1 + (count - 1) / MaximumPoints;
        return [.. Enumerable.Range(0, count).Where(i => i % every == 0 || i == count - 1)];
    }

    private static string Text(string text) => WebUtility.HtmlEncode(text);

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);

    private sealed record Curve(string CssClass, double[] Losses, double[] Distances)
    {
        public static Curve Of(AccumulationRun run, string cssClass, int[] shown) =>
            new(cssClass, [.. shown.Select(i => run.Windows[i].Mean)], [.. shown.Select(i => run.WeightDistances[i])]);
    }
}
