using Microsoft.ML;
using Samples.Text;

namespace Samples.Jobs;

/// <summary>A row of a data view of texts.</summary>
public sealed class TextRow
{
    public string Text { get; set; } = "";
}

/// <summary>A row of a data view of prompts and completions.</summary>
public sealed class PromptRow
{
    public string Prompt { get; set; } = "";
    public string Completion { get; set; } = "";
}

/// <summary>A row of a data view of chats.</summary>
public sealed class ChatRow
{
    public string Messages { get; set; } = "";
}

/// <summary>Converts rows to data views and back.</summary>
internal static class RowDataView
{
    /// <summary>A data view of rows, with the columns of their kind.</summary>
    public static IDataView Create(MLContext mlContext, RowSet rows) => rows.Kind switch
    {
        RowKind.Prompts => mlContext.Data.LoadFromEnumerable(rows.Rows.Select(row => new PromptRow { Prompt = row.Prompt, Completion = row.Completion }).ToArray()),
        RowKind.Chats => mlContext.Data.LoadFromEnumerable(rows.Rows.Select(row => new ChatRow { Messages = row.Completion }).ToArray()),
        _ => mlContext.Data.LoadFromEnumerable(rows.Rows.Select(row => new TextRow { Text = row.Completion }).ToArray()),
    };

    /// <summary>The rows of a data view that <see cref="Create"/> returned, or of a part of it.</summary>
    public static IReadOnlyList<Row> Read(MLContext mlContext, IDataView view, RowKind kind) => kind switch
    {
        RowKind.Prompts => [.. mlContext.Data.CreateEnumerable<PromptRow>(view, reuseRowObject: true).Select(row => new Row(row.Prompt, row.Completion))],
        RowKind.Chats => [.. mlContext.Data.CreateEnumerable<ChatRow>(view, reuseRowObject: true).Select(row => new Row("", row.Messages))],
        _ => [.. mlContext.Data.CreateEnumerable<TextRow>(view, reuseRowObject: true).Select(row => new Row("", row.Text))],
    };
}
