using System.Text;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>Writes a view as text that names its own columns; a row that ends in many default values ends sparse.</summary>
internal sealed class TextSaver
{
    // What a sparse value costs in dense ones.
    private const double SparseWeight = 2.5;

    private static readonly Dictionary<char, string> _separators =
        new() { [' '] = "space", ['\t'] = "tab", [','] = "comma", [';'] = "semicolon", ['|'] = "bar" };

    private readonly IHost _host;
    private readonly char _separator;
    private readonly bool _header;
    private readonly bool _schema;
    private readonly bool _dense;

    public TextSaver(IHostEnvironment env, char separator, bool header, bool schema, bool dense)
    {
        Contracts.CheckParam(_separators.ContainsKey(separator), "Separator", "Invalid separator - must be: space, tab, comma, semicolon, or bar");
        _host = env.Register(nameof(TextSaver));
        (_separator, _header, _schema, _dense) = (separator, header, schema, dense);
    }

    public void Save(IDataView data, Stream stream, bool keepHidden)
    {
        using IChannel channel = _host.Start("Saving");
        DataViewSchema.Column[] columns =
            [.. data.Schema.Where(column => (keepHidden || !column.IsHidden) && TextValues.CanParse(ItemOf(column)))];
        channel.Check(columns.Length > 0, "No valid columns to save");
        using StreamWriter writer = new(stream, leaveOpen: true);
        using DataViewRowCursor cursor = data.GetRowCursor(columns);
        (Func<string[]> Values, string Default)[] sources =
            [.. columns.Select(column => ((Func<string[]>, string))Generics.Call(Source<int>, ItemOf(column), cursor, column, _separator))];
        bool header = _header && columns.Any(column => column.Type is not VectorDataViewType);
        if (_schema)
            WriteSchema(writer, columns, header);
        if (header)
        {
            writer.WriteLine(string.Join(_separator, columns.SelectMany(column => column.Type is VectorDataViewType vector
                ? Enumerable.Repeat("\"\"", vector.Size) : [Quote(column.Name, _separator)])));
        }
        while (cursor.MoveNext())
            WriteRow(writer, [.. sources.Select(source => source.Values())], sources);
    }

    private static Type ItemOf(DataViewSchema.Column column) => ((column.Type as VectorDataViewType)?.ItemType ?? column.Type).RawType;

    private static (Func<string[]> Values, string Default) Source<T>(DataViewRow row, DataViewSchema.Column column, char separator)
    {
        if (column.Type is not VectorDataViewType)
        {
            Func<T> read = RowFilter.Reader(row.GetGetter<T>(column));
            return (() => [Show(read())], Show(default));
        }
        Func<VBuffer<T>> readAll = RowFilter.Reader(row.GetGetter<VBuffer<T>>(column));
        return (() => [.. readAll().DenseValues().Select(Show)], Show(default));

        string Show(T value) => value is ReadOnlyMemory<char> text ? Quote(text.ToString(), separator) : TextValues.Format(value);
    }

    private static string Quote(string text, char separator)
    {
        bool quotes = text.Length == 0 || text[0] == ' ' || text.AsSpan().IndexOfAny(['"', separator, ':', '\n']) >= 0;
        return quotes ? new StringBuilder(text).Replace("\"", "\"\"").Insert(0, '"').Append('"').ToString() : text;
    }

    private void WriteSchema(TextWriter writer, DataViewSchema.Column[] columns, bool header)
    {
        writer.WriteLine("#@ TextLoader{");
        if (header)
            writer.WriteLine("#@   header+");
        writer.WriteLine($"#@   sep={_separators[_separator]}");
        int field = 0;
        foreach (DataViewSchema.Column column in columns)
        {
            int size = (column.Type as VectorDataViewType)?.Size ?? 1;
            string fields = column.Type is not VectorDataViewType ? $"{field}" : size == 0 ? $"{field}-**" : $"{field}-{field + size - 1}";
            writer.WriteLine($"#@   col={column.Name}:{TextValues.KindOf(ItemOf(column))}:{fields}");
            field += size;
        }
        writer.WriteLine("#@ }");
    }

    private void WriteRow(TextWriter writer, string[][] columns, (Func<string[]> Values, string Default)[] sources)
    {
        string[] values = [.. columns.SelectMany(column => column)];
        int[] notDefault = [.. columns.SelectMany((column, i) => column.Select(value => value != sources[i].Default))
            .Select((isNot, i) => isNot ? i : -1).Where(i => i >= 0)];
        // The row may turn sparse at the end of a column, where that is cheapest and enough is left.
        int[] ends = [0, .. columns.Select((_, i) => columns.Take(i + 1).Sum(column => column.Length))];
        int dense = ends.MinBy(end => end + (SparseWeight * notDefault.Count(i => i >= end)));
        int left = values.Length - dense;
        if (_dense || left < 5 || left < dense / 5)
        {
            writer.WriteLine(string.Join(_separator, values));
            return;
        }
        IEnumerable<string> tail = notDefault.Where(i => i >= dense).DefaultIfEmpty(dense).Select(i => $"{i - dense}:{values[i]}");
        writer.WriteLine(string.Join(_separator, [.. values[..dense], $"{left}", .. tail]));
    }
}
