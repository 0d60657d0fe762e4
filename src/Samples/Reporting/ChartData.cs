namespace Samples.Reporting;

/// <summary>The charts of a page, all over the same steps; with seconds, the time since the start is shown beside a step.</summary>
internal sealed record ChartData(IReadOnlyList<int> Steps, IReadOnlyList<LineChart> Charts, IReadOnlyList<double>? Seconds = null)
{
    /// <summary>Every k-th index and the last, so that at most about <paramref name="maximum"/> are left: more points than a screen has columns only add size.</summary>
    public static int[] ThinIndices(int count, int maximum)
    {
        int every = 1 + (count - 1) / maximum;
        return [.. Enumerable.Range(0, count).Where(i => i % every == 0 || i == count - 1)];
    }
}

/// <summary>A line of a chart, with a value (or null) for every step, in a colour of the style sheet: accent, second, third or muted.</summary>
internal sealed record ChartLine(string Label, string Color, IReadOnlyList<double?> Values)
{
    public ChartLine(string label, string color, IEnumerable<double> values) : this(label, color, [.. values.Select(value => (double?)value)])
    {
    }

    /// <summary>Width in pixels.</summary>
    public double Width { get; init; } = 1.6;

    /// <summary>0 to 1.</summary>
    public double Opacity { get; init; } = 1;

    /// <summary>Lengths of dashes and gaps in pixels; null for a solid line.</summary>
    public IReadOnlyList<int>? Dash { get; init; }

    /// <summary>Whether a line joins values between which others are missing; each is a point as well.</summary>
    public bool Connected { get; init; }

    /// <summary>Whether the values are drawn as single points.</summary>
    public bool Isolated { get; init; }
}

/// <summary>A chart with lines, its height in pixels, and the range of its vertical axis; higher values are clipped. A logarithmic axis has values above 0.</summary>
internal sealed record LineChart(string Title, int Height, bool Logarithmic, double Minimum, double Maximum, IReadOnlyList<ChartLine> Lines)
{
    /// <summary>Whether it takes half of a wide page's width.</summary>
    public bool IsHalf { get; init; }

    // Where a logarithmic axis draws 0.
    private const double Smallest = 1e-17;

    /// <summary>A chart with a linear axis that shows a share of the values: below 1, the highest are clipped, so that a single spike does not flatten the rest.</summary>
    public static LineChart Linear(string title, int height, double visible, params ChartLine[] lines)
    {
        double[] sorted = [.. lines.SelectMany(line => line.Values).OfType<double>().Order()];
        double low = sorted[0], high = sorted[Math.Min(sorted.Length - 1, (int)Math.Ceiling(visible * sorted.Length))];
        // Values that differ only by rounding are drawn as equal: an axis between them would have no round numbers.
        double margin = high - low > 1e-9 * Math.Abs(high) ? 0.05 * (high - low) : Math.Max(Math.Abs(high), 1e-9);
        return new LineChart(title, height, false, low >= 0 ? Math.Max(0, low - margin) : low - margin, high + margin, lines);
    }

    /// <summary>A chart with powers of ten, of values of at least 0; 0 is drawn at 1e-17.</summary>
    public static LineChart PowersOfTen(string title, int height, IEnumerable<ChartLine> lines)
    {
        ChartLine[] drawn = [.. lines.Select(line => line with { Values = [.. line.Values.Select(value => value is { } v ? (double?)Math.Max(v, Smallest) : null)] })];
        double[] values = [.. drawn.SelectMany(line => line.Values).OfType<double>()];
        double low = Math.Floor(Math.Log10(values.Min())), high = Math.Floor(Math.Log10(values.Max())) + 1;
        return new LineChart(title, height, true, Math.Pow(10, low), Math.Pow(10, high), drawn);
    }
}
