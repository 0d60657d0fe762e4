using System.Collections;
using Microsoft.ML.Data;

namespace Microsoft.ML;

/// <summary>Columns in order; of two with one name the later hides the earlier.</summary>
public sealed partial class DataViewSchema : IReadOnlyList<DataViewSchema.Column>
{
    private readonly Column[] _columns;
    private readonly Dictionary<string, int> _indexOf = [];

    private DataViewSchema(IReadOnlyList<DetachedColumn> columns)
    {
        for (int i = 0; i < columns.Count; i++)
            _indexOf[columns[i].Name] = i;
        _columns = [.. columns.Select((c, i) => new Column(c.Name, i, _indexOf[c.Name] != i, c.Type, c.Annotations))];
    }

    public int Count => _columns.Length;

    public Column this[string name] =>
        GetColumnOrNull(name) ?? throw new ArgumentOutOfRangeException(nameof(name), $"Column '{name}' not found");

    public Column this[int columnIndex] => (uint)columnIndex < (uint)_columns.Length
        ? _columns[columnIndex]
        : throw new ArgumentOutOfRangeException(nameof(columnIndex));

    public Column? GetColumnOrNull(string name)
    {
        ThrowIfEmpty(name, nameof(name));
        return _indexOf.TryGetValue(name, out int index) ? _columns[index] : null;
    }

    public IEnumerator<Column> GetEnumerator() => ((IEnumerable<Column>)_columns).GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    public override string ToString() => $"{Count} columns";

    // The genuine package reports an empty name as a null argument.
    private static void ThrowIfEmpty(string value, string parameter)
    {
        if (string.IsNullOrEmpty(value))
            throw new ArgumentNullException(parameter);
    }

    public struct Column
    {
        internal Column(string name, int index, bool isHidden, DataViewType type, Annotations annotations)
        {
            Name = name;
            Index = index;
            IsHidden = isHidden;
            Type = type;
            Annotations = annotations;
        }

        public string Name { get; }
        public int Index { get; }
        public bool IsHidden { get; }
        public DataViewType Type { get; }
        public Annotations Annotations { get; }

        public override string ToString() =>
            Annotations is { Schema.Count: > 0 } ? $"{Name}: {Type} {{{Annotations}}}" : $"{Name}: {Type}";
    }

    public struct DetachedColumn
    {
        public DetachedColumn(string name, DataViewType type, Annotations annotations = null)
        {
            ThrowIfEmpty(name, nameof(name));
            Name = name;
            Type = type ?? throw new ArgumentNullException(nameof(type));
            Annotations = annotations ?? Annotations.Empty;
        }

        public DetachedColumn(Column column)
            : this(column.Name, column.Type, column.Annotations)
        {
        }

        public string Name { get; }
        public DataViewType Type { get; }
        public Annotations Annotations { get; }
    }

    public sealed class Builder
    {
        private readonly List<DetachedColumn> _items = [];
        public void AddColumn(string name, DataViewType type, Annotations annotations = null) => _items.Add(new(name, type, annotations));
        public void AddColumns(IEnumerable<Column> source) => _items.AddRange(source.Select(c => new DetachedColumn(c)));
        public void AddColumns(IEnumerable<DetachedColumn> source) => _items.AddRange(source);
        public DataViewSchema ToSchema() => new(_items);
    }
}
