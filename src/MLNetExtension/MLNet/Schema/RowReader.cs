using System.Diagnostics;
using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.Data;

namespace MLNetExtension.MLNet.Schema;

/// <summary>Reads what a row holds, wherever the row stands.</summary>
internal sealed class RowReader
{
    private readonly Func<double, RowContent> _content;
    private readonly ValueGetter<float>? _weight;
    private readonly string? _weightColumn;

    /// <param name="row">A row or cursor in which the columns are active.</param>
    /// <param name="columns">The columns, which the row has.</param>
    public RowReader(DataViewRow row, InputColumns columns)
    {
        _content = ContentReader(row, columns);
        _weightColumn = columns.Weight;
        _weight = _weightColumn is null ? null : row.GetGetter<float>(row.Schema[_weightColumn]);
    }

    /// <summary>Reads the row that the cursor stands on.</summary>
    /// <param name="position">Its position in the data, from 0, for error messages.</param>
    /// <exception cref="InvalidOperationException">Its weight is negative or not finite.</exception>
    public RowContent Read(long position)
    {
        if (_weight is null)
            return _content(1);
        float weight = 0;
        _weight(ref weight);
        return _content(ExampleWeight.Check(weight, _weightColumn!, position));
    }

    /// <summary>Reads and encodes every row of the data once, in order.</summary>
    /// <param name="data">Has the columns, with the types that their roles ask for.</param>
    /// <param name="columns">Which columns to read.</param>
    /// <param name="encoder">Turns a row into ids and targets.</param>
    /// <param name="cancellationToken">Looked at before every row.</param>
    public static RowReaderResult ReadAll(IDataView data, InputColumns columns, TokenExampleEncoder encoder, CancellationToken cancellationToken) =>
        ReadSplit(data, columns, encoder, _ => false, cancellationToken).Kept;

    /// <summary>Reads and encodes every row of the data once, in order, and parts the rows by their positions.</summary>
    /// <param name="data">Has the columns, with the types that their roles ask for.</param>
    /// <param name="columns">Which columns to read.</param>
    /// <param name="encoder">Turns a row into ids and targets.</param>
    /// <param name="isHeldOut">Whether the row of a position, from 0, is held out.</param>
    /// <param name="cancellationToken">Looked at before every row.</param>
    public static (RowReaderResult Kept, RowReaderResult HeldOut) ReadSplit(
        IDataView data, InputColumns columns, TokenExampleEncoder encoder, Func<long, bool> isHeldOut, CancellationToken cancellationToken)
    {
        RowReaderResult kept = new(), heldOut = new();
        using var cursor = data.GetRowCursor(columns.FindIn(data.Schema));
        var reader = new RowReader(cursor, columns);
        for (long position = 0; cursor.MoveNext(); position++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            (isHeldOut(position) ? heldOut : kept).Add(encoder.Encode(reader.Read(position), position));
        }
        return (kept, heldOut);
    }

    // Given a row's weight, reads what the row holds.
    private static Func<double, RowContent> ContentReader(DataViewRow row, InputColumns columns)
    {
        switch (columns)
        {
            case InputColumns.TextColumn column:
                var text = TextReader(row, column.Column);
                return weight => new RowContent.Text(text(), weight);
            case InputColumns.PromptCompletionColumns pair:
                Func<string> prompt = TextReader(row, pair.Prompt), completion = TextReader(row, pair.Completion);
                return weight => new RowContent.PromptCompletion(prompt(), completion(), weight);
            case InputColumns.ChatColumn column:
                var messages = TextReader(row, column.Column);
                return weight => new RowContent.Chat(messages(), weight);
            case InputColumns.TokenIdsColumn column:
                var ids = IdsReader(row, column.Column);
                return weight => new RowContent.TokenIds(ids(), column.AddBeginning, column.AddEnd, weight);
            default:
                throw new UnreachableException();
        }
    }

    private static Func<string> TextReader(DataViewRow row, string column)
    {
        var getter = row.GetGetter<ReadOnlyMemory<char>>(row.Schema[column]);
        return () =>
        {
            ReadOnlyMemory<char> text = default;
            getter(ref text);
            return text.ToString();
        };
    }

    private static Func<int[]> IdsReader(DataViewRow row, string column)
    {
        var getter = row.GetGetter<VBuffer<int>>(row.Schema[column]);
        VBuffer<int> buffer = default;
        return () =>
        {
            getter(ref buffer);
            int[] ids = new int[buffer.Length];
            buffer.CopyTo(ids);
            return ids;
        };
    }
}

/// <summary>The rows of a data set as examples, and what became of those that are not whole.</summary>
internal sealed class RowReaderResult
{
    private readonly List<TokenExample> _examples = [];

    /// <summary>The rows that have at least one target token and a weight above 0.</summary>
    public IReadOnlyList<TokenExample> Examples => _examples;

    /// <summary>How many rows were read.</summary>
    public long Rows { get; private set; }

    /// <summary>Rows left out because their weight is 0: they count nothing, as if they were not there.</summary>
    public long WithoutWeight { get; private set; }

    /// <summary>Rows left out because they have no target token: the prompt alone fills the context.</summary>
    public long WithoutTargets => Rows - Examples.Count - WithoutWeight;

    /// <summary>Examples that did not fit the context and lost their end.</summary>
    public long Truncated => Examples.Count(example => example.WasTruncated);

    /// <summary>Target tokens of the examples.</summary>
    public long TargetTokens => Examples.Sum(example => (long)example.TargetCount);

    /// <summary>Adds a row.</summary>
    public void Add(TokenExample row)
    {
        Rows++;
        if (row.HasTargets)
            _examples.Add(row);
        else if (row.TargetCount > 0)
            WithoutWeight++;
    }
}
