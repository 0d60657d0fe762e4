using System.Globalization;
using Spectre.Console;

namespace Samples.Reporting;

/// <summary>The tables and texts that a command ends with.</summary>
internal static class ResultTables
{
    public static void Write(IAnsiConsole console, TrainReport report)
    {
        WriteHeldOut(console, ["before", "after", "loaded back"], report.Before, report.After, report.Reloaded);
        WritePace(console, report.Steps, report.TrainingSeconds, report.TargetTokens, report.TargetTokensPerSecond, report.PeakMemoryMiB);
    }

    public static void Write(IAnsiConsole console, FinetuneReport report)
    {
        WriteHeldOut(console, ["before", "after"], report.Before, report.After);
        WritePace(console, report.Steps, report.TrainingSeconds, report.TargetTokens, report.TargetTokensPerSecond, report.PeakMemoryMiB);
    }

    public static void Write(IAnsiConsole console, MetricsReport metrics)
    {
        Table table = Create("metric", "value");
        AddMetric(table, "loss (nats per token)", "0.0000", each => each.Loss, metrics);
        AddMetric(table, "perplexity", "0.00", each => each.Perplexity, metrics);
        AddMetric(table, "bits per token", "0.000", each => each.BitsPerToken, metrics);
        AddMetric(table, "bits per byte", "0.000", each => each.BitsPerByte, metrics);
        AddMetric(table, "next token right", "0.0 %", each => each.Accuracy, metrics);
        AddMetric(table, "tokens", "N0", each => each.Tokens, metrics);
        AddMetric(table, "rows", "N0", each => each.Rows, metrics);
        console.Write(table);
    }

    /// <summary>Prompts, what the model wrote, and what stands there in the data.</summary>
    public static void Write(IAnsiConsole console, IReadOnlyList<SampleReport> samples)
    {
        foreach (SampleReport sample in samples)
        {
            console.WriteLine();
            console.MarkupLineInterpolated($"[dim]prompt:[/]    {OneLine(sample.Prompt)}");
            console.MarkupLineInterpolated($"[dim]model:[/]     {OneLine(sample.Generated)}");
            console.MarkupLineInterpolated($"[dim]reference:[/] {OneLine(sample.Reference)}");
        }
    }

    private static void WriteHeldOut(IAnsiConsole console, string[] headers, params MetricsReport[] columns)
    {
        Table table = Create(["held-out rows", .. headers]);
        AddMetric(table, "loss (nats per token)", "0.0000", metrics => metrics.Loss, columns);
        AddMetric(table, "perplexity", "0.00", metrics => metrics.Perplexity, columns);
        AddMetric(table, "bits per byte", "0.000", metrics => metrics.BitsPerByte, columns);
        AddMetric(table, "next token right", "0.0 %", metrics => metrics.Accuracy, columns);
        AddMetric(table, "tokens", "N0", metrics => metrics.Tokens, columns);
        console.Write(table);
    }

    private static void WritePace(IAnsiConsole console, int steps, double seconds, long targetTokens, double tokensPerSecond, double peakMemoryMiB) =>
        console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{steps:N0} steps in {TimeSpan.FromSeconds(seconds):m\\:ss}, {targetTokens:N0} target tokens, {tokensPerSecond:N0} a second, peak memory {peakMemoryMiB:N0} MiB"));

    private static string OneLine(string text) => text.ReplaceLineEndings(" ").Trim();

    private static Table Create(params string[] headers)
    {
        Table table = new Table().Border(TableBorder.Rounded);
        foreach (string header in headers)
            table.AddColumn(new TableColumn(Markup.Escape(header)) { Alignment = header == headers[0] ? Justify.Left : Justify.Right });
        return table;
    }

    private static void AddMetric(Table table, string name, string format, Func<MetricsReport, double> value, params MetricsReport[] columns) =>
        table.AddRow([Markup.Escape(name), .. columns.Select(column => value(column).ToString(format, CultureInfo.InvariantCulture))]);
}
