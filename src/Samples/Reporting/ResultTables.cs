using System.Globalization;
using Spectre.Console;

namespace Samples.Reporting;

/// <summary>The tables and texts that a command prints at its end.</summary>
internal static class ResultTables
{
    /// <summary>Prints samples, metrics and speed of a training.</summary>
    public static void Write(IAnsiConsole console, TrainReport report)
    {
        foreach (SampleReport sample in report.Samples)
        {
            console.WriteLine();
            console.MarkupLineInterpolated($"[dim]prompt:[/]    {OneLine(sample.Prompt)}");
            console.MarkupLineInterpolated($"[dim]model:[/]     {OneLine(sample.Generated)}");
            console.MarkupLineInterpolated($"[dim]reference:[/] {OneLine(sample.Reference)}");
        }
        console.WriteLine();

        MetricsReport[] columns = [report.Before, report.After, report.Reloaded];
        Table table = Create("held-out rows", "before", "after", "loaded back");
        AddMetric(table, "loss (nats per token)", "0.0000", metrics => metrics.Loss, columns);
        AddMetric(table, "perplexity", "0.00", metrics => metrics.Perplexity, columns);
        AddMetric(table, "bits per byte", "0.000", metrics => metrics.BitsPerByte, columns);
        AddMetric(table, "accuracy of the next token", "0.0 %", metrics => metrics.Accuracy, columns);
        AddMetric(table, "tokens", "N0", metrics => metrics.Tokens, columns);
        console.Write(table);
        console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{report.Steps:N0} steps in {TimeSpan.FromSeconds(report.TrainingSeconds):m\\:ss}, {report.TargetTokens:N0} target tokens, {report.TargetTokensPerSecond:N0} per second, peak memory {report.PeakMemoryMiB:N0} MiB"));
    }

    /// <summary>Prints the metrics of an evaluation.</summary>
    public static void Write(IAnsiConsole console, MetricsReport metrics)
    {
        Table table = Create("metric", "value");
        AddMetric(table, "loss (nats per token)", "0.0000", each => each.Loss, metrics);
        AddMetric(table, "perplexity", "0.00", each => each.Perplexity, metrics);
        AddMetric(table, "bits per token", "0.000", each => each.BitsPerToken, metrics);
        AddMetric(table, "bits per byte", "0.000", each => each.BitsPerByte, metrics);
        AddMetric(table, "accuracy of the next token", "0.0 %", each => each.Accuracy, metrics);
        AddMetric(table, "tokens", "N0", each => each.Tokens, metrics);
        AddMetric(table, "rows", "N0", each => each.Rows, metrics);
        console.Write(table);
    }

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
