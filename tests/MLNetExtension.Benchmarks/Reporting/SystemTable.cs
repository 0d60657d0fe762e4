using MLNetExtension.Benchmarks.Systems;
using Spectre.Console;

namespace MLNetExtension.Benchmarks.Reporting;

/// <summary>Shows the report of a workload.</summary>
internal static class SystemTable
{
    /// <summary>Writes a table, and a sentence on each peer.</summary>
    /// <param name="console">Where to.</param>
    /// <param name="lines">The lines of one workload.</param>
    public static void Write(IAnsiConsole console, IReadOnlyList<SystemReport> lines)
    {
        Table table = new Table()
            .AddColumn("workload").AddColumn("system")
            .AddColumn(new TableColumn("target tokens/s").RightAligned())
            .AddColumn(new TableColumn("peak memory MiB").RightAligned())
            .AddColumn(new TableColumn("share of matrix peak").RightAligned())
            .AddColumn(new TableColumn("ratio to ours").RightAligned());
        foreach (SystemReport line in lines)
            table.AddRow(line.Workload, line.System, line.TargetTokensPerSecond.ToString("N0"), line.PeakMemoryMiB.ToString("N0"), line.ShareOfMatrixPeak.ToString("F2"), line.RatioToOurs.ToString("F3"));
        console.Write(table);

        SystemReport ours = lines.Single(line => line.System == SystemNames.Ours);
        foreach (SystemReport peer in lines.Where(line => line != ours))
            console.WriteLine($"{ours.Workload}: ours runs at {1 / peer.RatioToOurs.Median:F2} times the speed of {peer.System} in {ours.PeakMemoryMiB.Median / peer.PeakMemoryMiB.Median:F2} times its memory.");
    }
}
