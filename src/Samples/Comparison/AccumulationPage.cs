using System.Globalization;
using MLNetExtension.Training.Accumulation;
using Samples.Reporting;

namespace Samples.Comparison;

/// <summary>The page that shows how far each normalization and split strays from the full batch.</summary>
internal static class AccumulationPage
{
    private const int MaximumPoints = 1000;

    // The colour shows the normalization, the dashes the split.
    private static readonly int[]?[] _dashes = [null, [9, 3], [5, 3], [2, 3]];

    /// <summary>Renders the page of several runs, of which the first is the full batch.</summary>
    public static string Render(string source, string description, IReadOnlyList<AccumulationRun> runs)
    {
        IEnumerable<(string, string)> tiles = [.. LargestByNormalization("gradient error", runs, run => run.GradientRelativeError), .. LargestByNormalization("weight distance", runs, run => run.WeightDistance)];
        return new HtmlPage($"Gradient accumulation on {source}", description, tiles, CreateCharts(runs), [Details(runs)]).Render();
    }

    private static IEnumerable<(string Figure, string Label)> LargestByNormalization(string what, IReadOnlyList<AccumulationRun> runs, Func<AccumulationRun, double> figure) =>
        runs.GroupBy(run => run.Normalization).Select(group => (AccumulationTable.Figure(group.Max(figure)), $"largest {what}, {group.Key}"));

    private static ChartData CreateCharts(IReadOnlyList<AccumulationRun> runs)
    {
        int[] shown = ChartData.ThinIndices(runs[0].Batches.Count, MaximumPoints);
        AccumulationRun fullBatch = runs[0];
        AccumulationRun[] others = [.. runs.Skip(1)];
        List<LineChart> charts = [LineChart.Linear("Loss of each batch, nats per target token", 320, 1, [.. runs.Select(run => Line(run, i => run.Batches[i].Mean))])];
        if (others.Length > 0)
        {
            charts.Add(LineChart.PowersOfTen("Difference of the loss from the full batch's, nats per target token", 280,
                others.Select(run => Line(run, i => Math.Abs(run.Batches[i].Mean - fullBatch.Batches[i].Mean)))));
            charts.Add(LineChart.PowersOfTen("Distance of the weights from the full batch's, relative", 280, others.Select(run => Line(run, i => run.WeightDistances[i]))));
        }
        return new ChartData([.. shown.Select(i => i + 1)], charts);

        ChartLine Line(AccumulationRun run, Func<int, double> value)
        {
            if (run == fullBatch)
                return new ChartLine("full batch", "muted", shown.Select(value)) { Width = 6, Opacity = 0.4 };
            int split = runs.Select(each => each.Split).Distinct().ToList().IndexOf(run.Split);
            return new ChartLine(Name(run), Color(run.Normalization), shown.Select(value)) { Dash = _dashes[split % _dashes.Length] };
        }
    }

    private static string Name(AccumulationRun run) => run.Ranks == 1 ? $"{run.Normalization} {run.Split}" : $"{run.Normalization} {run.Split}, {run.Ranks} ranks";

    private static string Color(LossNormalization normalization) => normalization switch
    {
        LossNormalization.Token => "accent",
        LossNormalization.MicroBatchMean => "second",
        _ => "third",
    };

    private static string Details(IReadOnlyList<AccumulationRun> runs) =>
        $"""
        <table class="table">
        <thead><tr><th>normalization</th><th>split</th><th>ranks</th><th>gradient error</th><th>norm error</th><th>loss</th><th>weight distance</th></tr></thead>
        <tbody>
        {string.Join("\n", runs.Select(run => Row(run, run == runs[0])))}
        </tbody>
        </table>
        {string.Join("\n", AccumulationTable.Notes(runs).Select(note => $"<p>{HtmlPage.Encode(note)}</p>"))}
        <p>Point at a step, or use the arrow keys on a chart, to read its values; drag to zoom, double-click to reset; click a name in a legend to hide its line.</p>
        """;

    private static string Row(AccumulationRun run, bool isFullBatch)
    {
        string split = isFullBatch ? $"{run.Split} (full batch)" : run.Split.ToString(), loss = run.Loss.ToString("0.0000", CultureInfo.InvariantCulture);
        return $"<tr><td>{run.Normalization}</td><td>{split}</td><td>{run.Ranks}</td><td>{AccumulationTable.Figure(run.GradientRelativeError)}</td><td>{AccumulationTable.Figure(run.GradientNormError)}</td><td>{loss}</td><td>{AccumulationTable.Figure(run.WeightDistance)}</td></tr>";
    }
}
