using System.Globalization;
using MLNetExtension.Benchmarks.Measuring;
using MLNetExtension.Benchmarks.Systems;
using ScottPlot;
using SkiaSharp;

namespace MLNetExtension.Benchmarks.Reporting;

/// <summary>Draws all workloads in one picture: speed and memory of every system by those of the plain TorchSharp loop, with the figures themselves over the bars.</summary>
internal static class SystemPlot
{
    // At twice the size at which a page shows it, for screens with as many pixels.
    private const int Width = 1600, Height = 1160;

    private const float TitleSize = 30, TextSize = 28, NumberSize = 26;

    private const double BarWidth = 0.9;

    // On Debian the library takes the first font that there is, one with serifs.
    private const string DebianFont = "DejaVu Sans";

    private static readonly Dictionary<string, string> _colors = new() { [SystemNames.Ours] = "#1f6f8b", [SystemNames.TorchSharp] = "#c9a66b", [SystemNames.PyTorch] = "#9aa5a8" };

    /// <summary>Writes a PNG.</summary>
    /// <param name="file">Its path.</param>
    /// <param name="lines">The report of a comparison.</param>
    /// <exception cref="BenchmarkException">A workload lacks the plain TorchSharp loop, or holds a system of another comparison.</exception>
    public static void Write(string file, IReadOnlyList<SystemReport> lines)
    {
        ILookup<string, SystemReport> workloads = lines.ToLookup(line => line.Workload);
        foreach (IGrouping<string, SystemReport> workload in workloads)
        {
            if (workload.Any(line => !_colors.ContainsKey(line.System)) || workload.Count(line => line.System == SystemNames.TorchSharp) != 1)
                throw new BenchmarkException($"--plot: the figures of {workload.Key} are not those of one comparison of {SystemNames.Ours} with {SystemNames.TorchSharp}.");
        }
        Fonts.Default = SKFontManager.Default.FontFamilies.Contains(DebianFont) ? DebianFont : Fonts.Sans;
        Multiplot picture = new();
        picture.AddPlots(2);
        Draw(picture.GetPlot(0), "Target tokens per second, by those of a plain TorchSharp loop: more is better", workloads, line => line.TargetTokensPerSecond);
        Draw(picture.GetPlot(1), "Peak memory in MiB, by that of the same loop: less is better", workloads, line => line.PeakMemoryMiB);
        string[] systems = [.. lines.Select(line => line.System).Distinct()];
        picture.GetPlot(0).ShowLegend(systems.Select(system => new LegendItem { LabelText = system, FillColor = Color.FromHex(_colors[system]), LabelFontSize = TextSize }), Alignment.UpperRight);
        picture.SavePng(file, Width, Height);
    }

    private static void Draw(Plot plot, string title, ILookup<string, SystemReport> workloads, Func<SystemReport, Figure> figureOf)
    {
        List<Bar> bars = [];
        List<Tick> ticks = [];
        double position = 0;
        foreach (IGrouping<string, SystemReport> workload in workloads.OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            double plain = figureOf(workload.Single(line => line.System == SystemNames.TorchSharp)).Median, first = position;
            foreach (SystemReport line in workload)
                bars.Add(CreateBar(position++, figureOf(line), plain, _colors[line.System]));
            ticks.Add(new Tick((first + position - 1) / 2, workload.Key));
            position++;
        }
        plot.Add.Bars(bars).ValueLabelStyle.FontSize = NumberSize;
        plot.Axes.Bottom.SetTicks([.. ticks.Select(tick => tick.Position)], [.. ticks.Select(tick => tick.Label)]);
        plot.Axes.Bottom.TickLabelStyle.FontSize = plot.Axes.Left.TickLabelStyle.FontSize = TextSize;
        plot.Axes.SetLimits(-1, position - 1, 0, 1.3 * bars.Max(bar => bar.Value));
        plot.Grid.XAxisStyle.IsVisible = false;
        plot.Axes.Right.IsVisible = plot.Axes.Top.IsVisible = false;
        plot.Title(title, TitleSize);
    }

    private static Bar CreateBar(double position, Figure figure, double plain, string color) => new()
    {
        Position = position,
        Size = BarWidth,
        Value = figure.Median / plain,
        FillColor = Color.FromHex(color),
        LineWidth = 0,
        Label = figure.Median.ToString("N0", CultureInfo.InvariantCulture),
    };
}
