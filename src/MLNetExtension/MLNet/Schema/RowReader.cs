using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.Data;

namespace MLNetExtension.MLNet.Schema;

/// <summary>Reads what a row holds, wherever the row stands.</summary>
internal sealed class RowReader
{
    private readonly ValueGetter<ReadOnlyMemory<char>>? _prompt;
    private readonly ValueGetter<ReadOnlyMemory<char>>? _completion;
    private readonly ValueGetter<VBuffer<int>>? _tokenIds;
    private readonly ValueGetter<ReadOnlyMemory<char>>? _messages;
    private readonly ValueGetter<float>? _weight;
    private readonly string? _weightColumn;
    private VBuffer<int> _ids;

    /// <param name="row">A row or cursor in which the columns are active.</param>
    /// <param name="columns">Columns of scalar text, or one of token ids or chats, and perhaps a weight.</param>
    public RowReader(DataViewRow row, RowReaderColumns columns)
    {
        _prompt = Getter<ReadOnlyMemory<char>>(row, columns.Prompt);
        _completion = Getter<ReadOnlyMemory<char>>(row, columns.Text ?? columns.Completion);
        _tokenIds = Getter<VBuffer<int>>(row, columns.TokenIds);
        _messages = Getter<ReadOnlyMemory<char>>(row, columns.Messages);
        _weight = Getter<float>(row, columns.Weight);
        _weightColumn = columns.Weight;
    }

    /// <summary>Reads the row that the cursor stands on.</summary>
    /// <param name="position">Its position in the data, from 0, for error messages.</param>
    /// <exception cref="InvalidOperationException">Its weight is negative or not finite.</exception>
    public RowContent Read(long position)
    {
        float weight = 1;
        _weight?.Invoke(ref weight);
        return new RowContent(
            new TextRow(Value(_prompt), Value(_completion)),
            _tokenIds is null ? null : Ids(_tokenIds),
            _messages is null ? null : Value(_messages),
            _weight is null ? 1 : ExampleWeight.Check(weight, _weightColumn!, position));
    }

    /// <summary>Reads and encodes every row of the data once, in order.</summary>
    /// <param name="data">Has the columns, with the types that their roles ask for.</param>
    /// <param name="columns">Which columns to read.</param>
    /// <param name="encoder">Turns a row into ids and targets.</param>
    /// <param name="cancellationToken">Asked before every row.</param>
    public static RowReaderResult ReadAll(IDataView data, RowReaderColumns columns, TokenExampleEncoder encoder, CancellationToken cancellationToken)
    {
        var examples = new List<TokenExample>();
        long rows = 0, withoutWeight = 0;
        using var cursor = data.GetRowCursor(columns.In(data.Schema));
        var reader = new RowReader(cursor, columns);
        for (; cursor.MoveNext(); rows++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var example = encoder.Encode(reader.Read(rows), rows);
            if (example.HasTargets)
                examples.Add(example);
            else if (example.TargetCount > 0)
                withoutWeight++;
        }
        return new RowReaderResult(examples, rows, withoutWeight);
    }

    private static ValueGetter<T>? Getter<T>(DataViewRow row, string? column) => column is null ? null : row.GetGetter<T>(row.Schema[column]);

    private static string Value(ValueGetter<ReadOnlyMemory<char>>? getter)
    {
        ReadOnlyMemory<char> text = default;
        getter?.Invoke(ref text);
        return text.ToString();
    }

    private int[] Ids(ValueGetter<VBuffer<int>> getter)
    {
        getter(ref _ids);
        int[] ids = new int[_ids.Length];
        _ids.CopyTo(ids);
        return ids;
    }
}

/// <summary>The rows of a data set as examples, and what became of those that are not whole.</summary>
/// <param name="Examples">The rows that have at least one target token and a weight above 0.</param>
/// <param name="Rows">How many rows were read.</param>
/// <param name="WithoutWeight">Rows left out because their weight is 0: they count nothing, as if they were not there.</param>
internal sealed record RowReaderResult(IReadOnlyList<TokenExample> Examples, long Rows, long WithoutWeight = 0)
{
    /// <summary>Rows left out because they have no target token: the prompt alone fills the context.</summary>
    public long WithoutTargets => Rows - Examples.Count - WithoutWeight;

    /// <summary>Examples that did not fit the context and lost their end.</summary>
    public long Truncated => Examples.Count(example => example.WasTruncated);

    public long TargetTokens => Examples.Sum(example => (long)example.TargetCount);
}
