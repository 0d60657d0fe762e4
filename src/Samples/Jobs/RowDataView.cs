using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension;
using Samples.Text;

namespace Samples.Jobs;

/// <summary>Rows as data views. The columns tell the kind: Prompt and Completion, or Messages, or Text; and Order, where rows have one.</summary>
internal static class RowDataView
{
    public const string Prompt = nameof(Row.Prompt), Completion = nameof(Row.Completion), Messages = "Messages", Text = "Text", Order = nameof(Row.Order);

    /// <summary>A data view of rows, with the columns of their kind.</summary>
    public static IDataView Create(MLContext mlContext, IEnumerable<Row> rows, RowKind kind)
    {
        SchemaDefinition schema = SchemaDefinition.Create(typeof(Row), SchemaDefinition.Direction.Read);
        if (kind != RowKind.Prompts)
        {
            schema.Remove(schema[Prompt]);
            schema[Completion].ColumnName = kind == RowKind.Chats ? Messages : Text;
        }
        Row[] all = [.. rows];
        if (all.All(row => double.IsNaN(row.Order)))
            schema.Remove(schema[Order]);
        return mlContext.Data.LoadFromEnumerable(all, schema);
    }

    /// <summary>The columns of rows of a kind as the trainer reads them.</summary>
    public static InputColumns InputColumnsOf(RowKind kind) => kind switch
    {
        RowKind.Prompts => InputColumns.PromptCompletion(Prompt, Completion),
        RowKind.Chats => InputColumns.Chat(Messages),
        _ => InputColumns.Text(Text),
    };

    /// <summary>The kind of the rows of a data view.</summary>
    public static RowKind KindOf(DataViewSchema schema) =>
        schema.GetColumnOrNull(Prompt) is not null ? RowKind.Prompts : schema.GetColumnOrNull(Messages) is not null ? RowKind.Chats : RowKind.Texts;
}
