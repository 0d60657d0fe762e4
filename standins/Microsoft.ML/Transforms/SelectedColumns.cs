using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>Some columns of a view, in an order of its own.</summary>
internal sealed class SelectedColumns : IDataView, IRowToRowMapper
{
    private readonly IHost _host;
    private readonly IDataView _source;
    private readonly DataViewSchema.Column[] _columns;

    public SelectedColumns(IHostEnvironment env, IDataView source, DataViewSchema.Column[] columns)
    {
        _host = env.Register(nameof(SelectedColumns));
        _source = source;
        _columns = columns;
        DataViewSchema.Builder schema = new();
        schema.AddColumns(columns);
        Schema = schema.ToSchema();
    }

    public bool CanShuffle => _source.CanShuffle;

    public DataViewSchema Schema { get; }

    public DataViewSchema InputSchema => _source.Schema;

    public DataViewSchema OutputSchema => Schema;

    public long? GetRowCount() => _source.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
    {
        bool[] active = RowCursorUtils.ToFlags(columnsNeeded, Schema);
        return new Cursor(_host, _source.GetRowCursor(InputsOf(active), rand), this, active);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null)
    {
        bool[] active = RowCursorUtils.ToFlags(columnsNeeded, Schema);
        return [.. _source.GetRowCursorSet(InputsOf(active), n, rand).Select(cursor => new Cursor(_host, cursor, this, active))];
    }

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns) =>
        InputsOf(RowCursorUtils.ToFlags(dependingColumns, Schema));

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns) => new Row(input, this);

    private IEnumerable<DataViewSchema.Column> InputsOf(bool[] active)
    {
        HashSet<int> inputs = [.. _columns.Where((_, i) => active[i]).Select(column => column.Index)];
        return InputSchema.Where(column => inputs.Contains(column.Index));
    }

    private sealed class Cursor(IChannelProvider provider, DataViewRowCursor input, SelectedColumns parent, bool[] active)
        : SynchronizedCursorBase(provider, input)
    {
        public override DataViewSchema Schema => parent.Schema;

        public override bool IsColumnActive(DataViewSchema.Column column) => active[column.Index];

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => Input.GetGetter<TValue>(parent._columns[column.Index]);
    }

    private sealed class Row(DataViewRow input, SelectedColumns parent) : WrappingRow(input)
    {
        public override DataViewSchema Schema => parent.Schema;

        public override bool IsColumnActive(DataViewSchema.Column column) => true;

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => Input.GetGetter<TValue>(parent._columns[column.Index]);
    }
}
