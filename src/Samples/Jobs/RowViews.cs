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

/// <summary>Brings rows into ML.NET.</summary>
internal static class RowViews
{
    public static IDataView Load(MLContext mlContext, RowSet rows) => rows.Kind switch
    {
        RowKind.Prompts => mlContext.Data.LoadFromEnumerable(rows.Rows.Select(row => new PromptRow { Prompt = row.Prompt, Completion = row.Completion }).ToArray()),
        RowKind.Chats => mlContext.Data.LoadFromEnumerable(rows.Rows.Select(row => new ChatRow { Messages = row.Completion }).ToArray()),
        _ => mlContext.Data.LoadFromEnumerable(rows.Rows.Select(row => new TextRow { Text = row.Completion }).ToArray()),
    };

    /// <summary>The rows of a data view that <see cref="Load"/> made, or of a part of one.</summary>
    public static IReadOnlyList<Row> ToRows(MLContext mlContext, IDataView view, RowKind kind) => kind switch
    {
        RowKind.Prompts => [.. mlContext.Data.CreateEnumerable<PromptRow>(view, reuseRowObject: true).Select(row => new Row(row.Prompt, row.Completion))],
        RowKind.Chats => [.. mlContext.Data.CreateEnumerable<ChatRow>(view, reuseRowObject: true).Select(row => new Row("", row.Messages))],
        _ => [.. mlContext.Data.CreateEnumerable<TextRow>(view, reuseRowObject: true).Select(row => new Row("", row.Text))],
    };
}
