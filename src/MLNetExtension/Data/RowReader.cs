using Microsoft.ML;

namespace MLNetExtension.Data;

/// <summary>The columns that hold a row's text: either <paramref name="Text"/> alone, or prompt and completion.</summary>
/// <param name="Text">The column whose whole text is learnt; null where prompt and completion are given.</param>
/// <param name="Prompt">The column that is given, not learnt.</param>
/// <param name="Completion">The column that is learnt, after the prompt.</param>
internal sealed record RowReaderColumns(string? Text, string? Prompt, string? Completion)
{
    /// <summary>The columns with the role that an error message gives them.</summary>
    public IEnumerable<(string Role, string Name)> Roles =>
        Text is not null ? [("text", Text)] : [("prompt", Prompt!), ("completion", Completion!)];

    /// <summary>The column that a prompt to generate from belongs to.</summary>
    public string PromptOrText => Prompt ?? Text!;

    public IEnumerable<DataViewSchema.Column> In(DataViewSchema schema) => Roles.Select(column => schema[column.Name]);
}

/// <summary>Reads the text of a row, wherever the row stands.</summary>
internal sealed class RowReader
{
    private readonly ValueGetter<ReadOnlyMemory<char>>? _prompt;
    private readonly ValueGetter<ReadOnlyMemory<char>> _completion;

    /// <param name="row">A row or cursor in which the columns are active.</param>
    /// <param name="columns">Columns of scalar text.</param>
    public RowReader(DataViewRow row, RowReaderColumns columns)
    {
        _prompt = columns.Prompt is null ? null : Getter(row, columns.Prompt);
        _completion = Getter(row, columns.Text ?? columns.Completion!);
    }

    public TextRow Read() => new(_prompt is null ? "" : Value(_prompt), Value(_completion));

    /// <summary>Reads and encodes every row of the data once, in order.</summary>
    /// <param name="data">Has the columns, as scalar text.</param>
    /// <param name="columns">Which columns to read.</param>
    /// <param name="encoder">Turns a row into ids and targets.</param>
    /// <param name="cancellationToken">Asked before every row.</param>
    public static RowReaderResult ReadAll(IDataView data, RowReaderColumns columns, TokenExampleEncoder encoder, CancellationToken cancellationToken)
    {
        var examples = new List<TokenExample>();
        long rows = 0;
        using var cursor = data.GetRowCursor(columns.In(data.Schema));
        var reader = new RowReader(cursor, columns);
        while (cursor.MoveNext())
        {
            cancellationToken.ThrowIfCancellationRequested();
            var example = encoder.Encode(reader.Read(), rows++);
            if (example.TargetCount > 0)
                examples.Add(example);
        }
        return new RowReaderResult(examples, rows);
    }

    private static ValueGetter<ReadOnlyMemory<char>> Getter(DataViewRow row, string column) =>
        row.GetGetter<ReadOnlyMemory<char>>(row.Schema[column]);

    private static string Value(ValueGetter<ReadOnlyMemory<char>> getter)
    {
        ReadOnlyMemory<char> text = default;
        getter(ref text);
        return text.ToString();
    }
}

/// <summary>The rows of a data set as examples, and what became of those that are not whole.</summary>
/// <param name="Examples">The rows that have at least one target token.</param>
/// <param name="Rows">How many rows were read.</param>
internal sealed record RowReaderResult(IReadOnlyList<TokenExample> Examples, long Rows)
{
    /// <summary>Rows left out because they have no target token: the prompt alone fills the context.</summary>
    public long WithoutTargets => Rows - Examples.Count;

    /// <summary>Examples that did not fit the context and lost their end.</summary>
    public long Truncated => Examples.Count(example => example.WasTruncated);

    public long TargetTokens => Examples.Sum(example => (long)example.TargetCount);
}
