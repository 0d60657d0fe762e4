using System.Globalization;
using System.Text;

namespace Samples.Reporting;

/// <summary>A line of a chart: one value a point, and the class that styles it.</summary>
internal sealed record ChartLine(string CssClass, IReadOnlyList<double> Values);

/// <summary>Draws lines over the steps of a training as an SVG element.</summary>
/// <param name="title">What is drawn.</param>
/// <param name="format">How the values of the axis are written.</param>
/// <param name="height">Height in the units of the drawing.</param>
/// <param name="steps">Where the points stand on the horizontal axis; at least one.</param>
/// <param name="lines">A value for every step.</param>
internal sealed class Chart(string title, string format, int height, IReadOnlyList<int> steps, params ChartLine[] lines)
{
    public const int Width = 960, Left = 64, Right = 16;
    private const int Top = 30, Bottom = 26;

    /// <summary>The element; its drawing area reaches from <see cref="Left"/> to <see cref="Width"/> less <see cref="Right"/>.</summary>
    public string ToSvg()
    {
        (double low, double high) = Range();
        double lastStep = Math.Max(steps[^1], steps[0] + 1);
        double X(double step) => Left + (step - steps[0]) / (lastStep - steps[0]) * (Width - Left - Right);
        double Y(double value) => Top + (high - value) / (high - low) * (height - Top - Bottom);

        var svg = new StringBuilder();
        svg.Append(Inv($"""<svg class="chart" viewBox="0 0 {Width} {height}" role="img" aria-label="{title}" tabindex="0">"""));
        svg.Append(Inv($"""<text class="title" x="{Left}" y="18">{title}</text>"""));
        foreach (double tick in Ticks(low, high, height / 55))
        {
            svg.Append(Inv($"""<line class="grid" x1="{Left}" x2="{Width - Right}" y1="{Y(tick):0.##}" y2="{Y(tick):0.##}"/>"""));
            svg.Append(Inv($"""<text class="tick" x="{Left - 8}" y="{Y(tick) + 4:0.##}" text-anchor="end">{tick.ToString(format, CultureInfo.InvariantCulture)}</text>"""));
        }
        foreach (double tick in Ticks(steps[0], lastStep, 8).Where(tick => tick == Math.Floor(tick)))
            svg.Append(Inv($"""<text class="tick" x="{X(tick):0.##}" y="{height - 6}" text-anchor="middle">{tick:N0}</text>"""));
        foreach (ChartLine line in lines)
        {
            string points = string.Join(' ', steps.Select((step, i) => Inv($"{X(step):0.##},{Y(Math.Clamp(line.Values[i], low, high)):0.##}")));
            svg.Append($"""<polyline class="{line.CssClass}" points="{points}"/>""");
        }
        svg.Append(Inv($"""<line class="cursor" x1="0" x2="0" y1="{Top}" y2="{height - Bottom}"/></svg>"""));
        return svg.ToString();
    }

    /// <summary>Share of the values that have room: below 1, the highest are cut off, so that a single spike does not flatten the rest.</summary>
    public double Shown { get; init; } = 1;

    private (double Low, double High) Range()
    {
        double[] sorted = [.. lines.SelectMany(line => line.Values).Order()];
        double low = sorted[0], high = sorted[Math.Min(sorted.Length - 1, (int)Math.Ceiling(Shown * sorted.Length))];
        // Values that differ by rounding alone are drawn as equal: an axis between them would have no round numbers.
        double margin = high - low > 1e-9 * Math.Abs(high) ? 0.05 * (high - low) : Math.Max(Math.Abs(high), 1e-9);
        return (low >= 0 ? Math.Max(0, low - margin) : low - margin, high + margin);
    }

    /// <summary>Round values (1, 2 or 5 times a power of ten) inside a range, about as many as asked for.</summary>
    internal static IEnumerable<double> Ticks(double low, double high, int count)
    {
        double rough = (high - low) / Math.Max(1, count);
        double power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        double step = power * (rough / power) switch { <= 1.5 => 1, <= 3.5 => 2, <= 7.5 => 5, _ => 10 };
        for (double i = Math.Ceiling(low / step); i * step <= high; i++)
            yield return Math.Round(i * step, 12);
    }

    private static string Inv(FormattableString text) => FormattableString.Invariant(text);
}
