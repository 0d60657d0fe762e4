using MLNetExtension.Benchmarks.Measuring;
using Spectre.Console;

namespace MLNetExtension.Benchmarks.Rows;

/// <summary>How long it takes to the first step over many rows, and how much memory.</summary>
/// <param name="Rows">How many rows.</param>
/// <param name="Megabytes">Size of their file.</param>
/// <param name="Once">The file read through and encoded on one thread, nothing kept.</param>
/// <param name="FirstStep">A training, up to the report of its first step.</param>
internal sealed record RowsReport(int Rows, double Megabytes, RowsResult Once, RowsResult FirstStep)
{
    /// <summary>Writes the rows, measures, and deletes them.</summary>
    public static async Task<RowsReport> Measure(int rows, string tokenizerFolder, ChildProcess children, Action<string> log, CancellationToken cancellation)
    {
        log(FormattableString.Invariant($"writing {rows:N0} rows"));
        using RowsFile file = RowsFile.Write(rows, cancellation);
        log("reading them once on one thread");
        RowsResult once = await Run(RowsRun.Once);
        log("training on them for one step");
        return new RowsReport(rows, file.Megabytes, once, await Run(RowsRun.Fit));

        Task<RowsResult> Run(string run) => children.RunSelf<RowsResult>($"The run '{run}' over the rows", [HiddenCommands.Rows, run, file.Path, tokenizerFolder], cancellation);
    }

    /// <summary>Writes it as a table.</summary>
    /// <param name="console">Where to.</param>
    public void Write(IAnsiConsole console)
    {
        Table table = new Table().AddColumn("run");
        foreach (string column in (string[])["seconds", "rows/s", "peak memory MiB"])
            table.AddColumn(new TableColumn(column).RightAligned());
        AddRow("read and encoded on one thread, nothing kept", Once);
        AddRow("Fit, to the report of the first step", FirstStep);
        console.Write(table);
        console.WriteLine(FormattableString.Invariant(
            $"{Rows:N0} rows, {Megabytes:N0} MB: the first step comes after {FirstStep.Seconds / Once.Seconds:F2} times the time of reading them once; peak memory {FirstStep.PeakMemoryMiB:N0} MiB."));

        void AddRow(string run, RowsResult result) =>
            table.AddRow(run, $"{result.Seconds:F1}", $"{Rows / result.Seconds:N0}", $"{result.PeakMemoryMiB:N0}");
    }
}
