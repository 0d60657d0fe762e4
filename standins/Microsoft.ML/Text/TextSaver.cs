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
        List<DataViewSchema.Column> columns = [];
        foreach (DataViewSchema.Column column in data.Schema.Where(column => keepHidden || !column.IsHidden))
        {
            if (TextValues.CanParse(((column.Type as VectorDataViewType)?.ItemType ?? column.Type).RawType))
                columns.Add(column);
            else
                channel.Info(MessageSensitivity.Schema, $"The column '{column.Name}' will not be written as it has unsavable column type.");
        }
        channel.Check(columns.Count > 0, "No valid columns to save");

        using StreamWriter writer = new(stream, leaveOpen: true);
        using DataViewRowCursor cursor = data.GetRowCursor(columns);
        TextSaverColumn[] sources = [.. columns.Select(column => TextSaverColumn.Create(cursor, column, _separator))];
        string[] names = [.. sources.SelectMany(source => source.Names)];
        bool header = _header && columns.Any(column => column.Type is not VectorDataViewType);
        if (_schema)
            WriteSchema(writer, columns, header);
        if (header)
            writer.WriteLine(string.Join(_separator, names));

        long rows = 0;
        int shortest = int.MaxValue, longest = 0;
        for (; cursor.MoveNext(); rows++)
        {
            int length = WriteRow(writer, sources);
            (shortest, longest) = (Math.Min(shortest, length), Math.Max(longest, length));
        }
        if (rows == 0)
            channel.Warning(MessageSensitivity.None, "Wrote zero rows of data!");
        else
            channel.Info(MessageSensitivity.None, $"Wrote {rows} rows of length" + (shortest == longest ? $" {longest}" : $"s between {shortest} and {longest}"));
    }

    private void WriteSchema(TextWriter writer, List<DataViewSchema.Column> columns, bool header)
    {
        writer.WriteLine("#@ TextLoader{");
        if (header)
            writer.WriteLine("#@   header+");
        writer.WriteLine($"#@   sep={_separators[_separator]}");
        int field = 0;
        foreach (DataViewSchema.Column column in columns)
        {
            VectorDataViewType vector = column.Type as VectorDataViewType;
            string kind = TextValues.KindOf((vector?.ItemType ?? column.Type).RawType);
            string source = vector == null ? $"{field}" : vector.IsKnownSize ? $"{field}-{field + vector.Size - 1}" : $"{field}-**";
            writer.WriteLine(column.Name.Any(char.IsWhiteSpace)
                ? $"#@   col={{name={{{column.Name}}} type={kind} src={source}}}"
                : $"#@   col={column.Name}:{kind}:{source}");
            field += vector?.Size ?? 1;
        }
        writer.WriteLine("#@ }");
    }

    private int WriteRow(TextWriter writer, TextSaverColumn[] sources)
    {
        List<string> values = [];
        List<int> ends = [0];
        foreach (TextSaverColumn source in sources)
        {
            values.AddRange(source.Values());
            ends.Add(values.Count);
        }
        string[] defaults = [.. sources.SelectMany((source, i) => Enumerable.Repeat(source.Default, ends[i + 1] - ends[i]))];

        int dense = _dense ? values.Count : DenseLength(values, defaults, ends);
        List<string> written = values[..dense];
        if (dense < values.Count)
        {
            written.Add($"{values.Count - dense}");
            written.AddRange(Enumerable.Range(dense, values.Count - dense).Where(i => values[i] != defaults[i]).DefaultIfEmpty(dense)
                .Select(i => $"{i - dense}:{values[i]}"));
        }
        writer.WriteLine(string.Join(_separator, written));
        return values.Count;
    }

    /// <summary>The column after which it is cheapest to be sparse, unless little is left by then.</summary>
    private static int DenseLength(List<string> values, string[] defaults, List<int> ends)
    {
        int best = ends.MinBy(end => end + (SparseWeight * Enumerable.Range(end, values.Count - end).Count(i => values[i] != defaults[i])));
        int left = values.Count - best;
        return left < 5 || left < best / 5 ? values.Count : best;
    }
}

/// <summary>One column of a view as text.</summary>
internal abstract class TextSaverColumn
{
    public string Default { get; private protected init; }

    public string[] Names { get; private protected init; }

    public abstract IEnumerable<string> Values();

    public static TextSaverColumn Create(DataViewRow row, DataViewSchema.Column column, char separator)
    {
        VectorDataViewType vector = column.Type as VectorDataViewType;
        Type item = vector?.ItemType.RawType ?? column.Type.RawType;
        return (TextSaverColumn)Activator.CreateInstance((vector == null ? typeof(Scalar<>) : typeof(Vector<>)).MakeGenericType(item), row, column, separator);
    }

    private static string Show<T>(T value, char separator) =>
        value is ReadOnlyMemory<char> text ? Quote(text.ToString(), separator) : TextValues.Format(value);

    private static string Quote(string text, char separator)
    {
        bool quotes = text.Length == 0 || text[0] == ' ' || text.AsSpan().IndexOfAny(['"', separator, ':', '\n']) >= 0;
        return quotes ? new StringBuilder(text).Replace("\"", "\"\"").Insert(0, '"').Append('"').ToString() : text;
    }

    private sealed class Scalar<T> : TextSaverColumn
    {
        private readonly ValueGetter<T> _getter;
        private readonly char _separator;
        private T _value;

        public Scalar(DataViewRow row, DataViewSchema.Column column, char separator)
        {
            _getter = row.GetGetter<T>(column);
            _separator = separator;
            Names = [Quote(column.Name, separator)];
            Default = Show(default(T), separator);
        }

        public override IEnumerable<string> Values()
        {
            _getter(ref _value);
            return [Show(_value, _separator)];
        }
    }

    private sealed class Vector<T> : TextSaverColumn
    {
        private readonly ValueGetter<VBuffer<T>> _getter;
        private readonly char _separator;
        private VBuffer<T> _value;

        public Vector(DataViewRow row, DataViewSchema.Column column, char separator)
        {
            _getter = row.GetGetter<VBuffer<T>>(column);
            _separator = separator;
            Names = [.. Enumerable.Repeat("\"\"", ((VectorDataViewType)column.Type).Size)];
            Default = Show(default(T), separator);
        }

        public override IEnumerable<string> Values()
        {
            _getter(ref _value);
            return _value.DenseValues().Select(value => Show(value, _separator));
        }
    }
}
