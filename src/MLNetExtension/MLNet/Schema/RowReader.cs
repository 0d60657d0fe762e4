using System.Diagnostics;
using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.Data;
using MLNetExtension.Data.Store;

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

    /// <summary>Reads and encodes every row of the data once; see <see cref="ReadSplit(RowSource, TokenExampleEncoder, StoreSettings, CancellationToken)"/>.</summary>
    public static (RowReaderResult Kept, RowReaderResult HeldOut) ReadSplit(
        IDataView data, InputColumns columns, TokenExampleEncoder encoder, StoreSettings settings, CancellationToken cancellationToken) =>
        ReadSplit(new RowSource(data, columns), encoder, settings, cancellationToken);

    /// <summary>Reads and encodes every row of the data once, in order, and parts the rows by their positions.</summary>
    /// <param name="source">Where rows are read from.</param>
    /// <param name="encoder">Turns a row into ids and targets.</param>
    /// <param name="settings">Where the rows go, and which of them are held out.</param>
    /// <param name="cancellationToken">Looked at before every row.</param>
    /// <exception cref="IOException">The rows need a file, and it cannot be written.</exception>
    public static (RowReaderResult Kept, RowReaderResult HeldOut) ReadSplit(RowSource source, TokenExampleEncoder encoder, StoreSettings settings, CancellationToken cancellationToken)
    {
        IEnumerable<RowContent> rows = Rows(source);
        (StoredRows kept, StoredRows heldOut) = TokenCache.Open(settings, encoder) is { } cache
            ? ReadWithCache(rows, cache, encoder, settings, cancellationToken)
            : Encode(rows, new RowEncoding(encoder, settings, cancellationToken));
        return (new RowReaderResult(kept), new RowReaderResult(heldOut));
    }

    // Data has no name by which it could be recognized, so it is read in any case; what is saved is its encoding.
    private static (StoredRows Kept, StoredRows HeldOut) ReadWithCache(
        IEnumerable<RowContent> rows, TokenCache cache, TokenExampleEncoder encoder, StoreSettings settings, CancellationToken cancellationToken)
    {
        if (cache.MayHaveRows && cache.TryOpen(RowsHash.Of(rows, cancellationToken), cancellationToken) is { } found)
            return found;
        using RowsHash hash = new();
        CacheFile kept = cache.Create();
        CacheFile heldOut;
        try
        {
            heldOut = cache.Create();
        }
        catch
        {
            kept.Dispose();
            throw;
        }
        var encoded = Encode(hash.Watch(rows), new RowEncoding(encoder, settings, cancellationToken, kept, heldOut));
        cache.Keep(hash.Complete(), (encoded.Kept, kept), (encoded.HeldOut, heldOut));
        return encoded;
    }

    private static (StoredRows Kept, StoredRows HeldOut) Encode(IEnumerable<RowContent> rows, RowEncoding encoding)
    {
        using (encoding)
        {
            encoding.Run(rows);
            return (encoding.Kept.Complete(), encoding.HeldOut.Complete());
        }
    }

    private static IEnumerable<RowContent> Rows(RowSource source) =>
        source.Columns is InputColumns.LabelledColumns ? OtherCompletions.AddTo(Read(source).Cast<RowContent.Pair>()) : Read(source);

    private static IEnumerable<RowContent> Read(RowSource source)
    {
        using var cursor = source.OpenCursor();
        var reader = new RowReader(cursor, source.Columns);
        Action[] readNumbers = [.. source.Numbers.Select(column => column.Start(cursor))];
        for (long position = 0; cursor.MoveNext(); position++)
        {
            Array.ForEach(readNumbers, read => read());
            yield return reader.Read(position);
        }
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
            case InputColumns.PairColumns pair:
                Func<string> asked = TextReader(row, pair.Prompt), chosen = TextReader(row, pair.Chosen), rejected = TextReader(row, pair.Rejected);
                return weight => new RowContent.Pair(asked(), chosen(), rejected(), PairKind.Compared, weight);
            case InputColumns.LabelledColumns labelled:
                Func<string> before = TextReader(row, labelled.Prompt), after = TextReader(row, labelled.Completion);
                var label = row.GetGetter<bool>(row.Schema[labelled.Label]);
                return weight =>
                {
                    bool isDesirable = false;
                    label(ref isDesirable);
                    return new RowContent.Pair(before(), after(), "", isDesirable ? PairKind.Desirable : PairKind.Undesirable, weight);
                };
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
/// <param name="rows">The rows.</param>
internal sealed class RowReaderResult(StoredRows rows) : IDisposable
{
    /// <summary>The rows that have at least one target token and a weight above 0; of a row that was split, its pieces.</summary>
    public IReadOnlyList<TokenExample> Examples => rows.Store;

    /// <summary>What became of all rows.</summary>
    public RowCounts Counts => rows.Counts;

    /// <summary>Lets go of the examples.</summary>
    public void Dispose() => rows.Store.Dispose();
}
