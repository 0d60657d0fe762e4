using System.Globalization;
using MLNetExtension.Evaluation;
using Spectre.Console;

namespace Samples.Reporting;

/// <summary>The tables and texts that a command prints at its end.</summary>
internal static class ResultTables
{
    private static readonly (string Name, string Format, Func<MetricsReport, double> Value)[] _rows =
    [
        ("loss (nats per token)", "0.0000", metrics => metrics.Loss),
        ("perplexity", "0.00", metrics => metrics.Perplexity),
        ("bits per token", "0.000", metrics => metrics.BitsPerToken),
        ("bits per byte", "0.000", metrics => metrics.BitsPerByte),
        ("accuracy of the next token", "0.0 %", metrics => metrics.Accuracy),
        ("tokens", "N0", metrics => metrics.Tokens),
        ("rows", "N0", metrics => metrics.Rows),
    ];

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
        Write(console, "held-out rows", ("before", report.Before), ("after", report.After));
        if (report is { ReloadedAgrees: true, Reloaded.Rows: var compared })
            console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"loaded back: the same weights, and the same metrics on {compared:N0} held-out rows"));
        console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{report.Steps:N0} steps in {TimeSpan.FromSeconds(report.TrainingSeconds):m\\:ss}, {report.TargetTokens:N0} target tokens, {report.TargetTokensPerSecond:N0} per second, peak memory {report.PeakMemoryMiB:N0} MiB"));
        if (report.ValidationLoss is { } loss)
            console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"lowest validation loss {loss:0.0000} nats per token, after step {report.BestStep:N0}, whose weights were kept"));
    }

    /// <summary>Prints a table with a row for each metric.</summary>
    public static void Write(IAnsiConsole console, string title, params (string Heading, MetricsReport? Metrics)[] columns)
    {
        Table table = new Table().Border(TableBorder.Rounded).AddColumn(title);
        foreach ((string heading, _) in columns)
            table.AddColumn(new TableColumn(heading).RightAligned());
        foreach ((string name, string format, Func<MetricsReport, double> value) in _rows)
            table.AddRow([name, .. columns.Select(column => column.Metrics is { } metrics ? value(metrics).ToString(format, CultureInfo.InvariantCulture) : "-")]);
        console.Write(table);
    }

    /// <summary>Prints a table of a multiple-choice evaluation.</summary>
    public static void Write(IAnsiConsole console, MultipleChoiceMetrics metrics)
    {
        Table table = new Table().Border(TableBorder.Rounded).AddColumn("multiple choice").AddColumn(new TableColumn("value").RightAligned()).AddColumn(new TableColumn("standard error").RightAligned());
        AddShare("accuracy", metrics.Accuracy, metrics.AccuracyStandardError);
        AddShare("accuracy per character", metrics.NormalizedAccuracy, metrics.NormalizedAccuracyStandardError);
        AddShare("accuracy per byte", metrics.ByteNormalizedAccuracy, metrics.ByteNormalizedAccuracyStandardError);
        table.AddRow("rows", metrics.Rows.ToString("N0", CultureInfo.InvariantCulture), "");
        console.Write(table);

        void AddShare(string name, double share, double error) =>
            table.AddRow(name, share.ToString("0.0 %", CultureInfo.InvariantCulture), double.IsNaN(error) ? "-" : error.ToString("0.0 %", CultureInfo.InvariantCulture));
    }

    private static string OneLine(string text) => text.ReplaceLineEndings(" ").Trim();
}
