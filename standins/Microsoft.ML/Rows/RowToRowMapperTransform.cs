using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>Computes added columns from a row of the input.</summary>
internal interface IRowMapper
{
    Func<int, bool> GetDependencies(Func<int, bool> activeOutput);

    Delegate[] CreateGetters(DataViewRow input, Func<int, bool> activeOutput, out Action disposer);
    DataViewSchema.DetachedColumn[] GetOutputColumns();
}

/// <summary>A view of the input's columns and a mapper's; also the mapper of single rows.</summary>
internal sealed class RowToRowMapperTransform : IDataView, IRowToRowMapper
{
    private readonly IHost _host;
    private readonly IDataView _source;
    private readonly IRowMapper _mapper;
    private readonly ColumnBindings _bindings;

    public RowToRowMapperTransform(IHostEnvironment env, IDataView input, IRowMapper mapper)
    {
        _host = env.Register(nameof(RowToRowMapperTransform));
        _source = input;
        _mapper = mapper;
        _bindings = new ColumnBindings(input.Schema, mapper.GetOutputColumns());
    }

    public bool CanShuffle => _source.CanShuffle;
    public DataViewSchema Schema => _bindings.Schema;
    public DataViewSchema InputSchema => _source.Schema;
    public DataViewSchema OutputSchema => _bindings.Schema;

    public static DataViewSchema GetOutputSchema(DataViewSchema inputSchema, IRowMapper mapper) =>
        new ColumnBindings(inputSchema, mapper.GetOutputColumns()).Schema;

    public long? GetRowCount() => _source.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
    {
        bool[] active = RowCursorUtils.ToFlags(columnsNeeded, Schema);
        return MakeCursor(_source.GetRowCursor(InputsOf(active), rand), active);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null)
    {
        bool[] active = RowCursorUtils.ToFlags(columnsNeeded, Schema);
        return [.. _source.GetRowCursorSet(InputsOf(active), n, rand).Select(c => MakeCursor(c, active))];
    }

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns) =>
        InputsOf(RowCursorUtils.ToFlags(dependingColumns, Schema));

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
    {
        _host.CheckValue(input, nameof(input));
        _host.CheckValue(activeColumns, nameof(activeColumns));
        _host.Check(input.Schema == InputSchema, "Schema of input row must be the same as the schema the mapper is bound to");
        return new Row(input, this, RowCursorUtils.ToFlags(activeColumns, Schema));
    }

    private Cursor MakeCursor(DataViewRowCursor input, bool[] active) => new(_host, input, new Row(input, this, active));

    private IEnumerable<DataViewSchema.Column> InputsOf(bool[] active)
    {
        Func<int, bool> needed = _mapper.GetDependencies(IsAddedActive(active));
        HashSet<int> passedOn = [];
        for (int c = 0; c < active.Length; c++)
        {
            if (active[c] && _bindings.Map(c, out bool isSource) is int index && isSource)
                passedOn.Add(index);
        }
        return [.. InputSchema.Where(c => passedOn.Contains(c.Index) || needed(c.Index))];
    }

    private Func<int, bool> IsAddedActive(bool[] active) => i => active[_bindings.AddedColumnIndices[i]];

    private sealed class Row : WrappingRow
    {
        private readonly RowToRowMapperTransform _parent;
        private readonly bool[] _active;
        private readonly Delegate[] _getters;
        private readonly Action _disposer;

        public Row(DataViewRow input, RowToRowMapperTransform parent, bool[] active)
            : base(input)
        {
            _parent = parent;
            _active = active;
            _getters = parent._mapper.CreateGetters(input, parent.IsAddedActive(active), out _disposer);
        }

        public override DataViewSchema Schema => _parent.Schema;

        public override bool IsColumnActive(DataViewSchema.Column column)
        {
            Contracts.Check(column.Index < _active.Length);
            return _active[column.Index];
        }

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            Contracts.Check(IsColumnActive(column));
            int index = _parent._bindings.Map(column.Index, out bool isSource);
            return isSource ? Input.GetGetter<TValue>(Input.Schema[index]) : RowCursorUtils.Cast<TValue>(_getters[index]);
        }

        protected override void DisposeCore(bool disposing)
        {
            if (disposing)
                _disposer?.Invoke();
        }
    }

    private sealed class Cursor(IChannelProvider provider, DataViewRowCursor input, Row row) : SynchronizedCursorBase(provider, input)
    {
        public override DataViewSchema Schema => row.Schema;
        public override bool IsColumnActive(DataViewSchema.Column column) => row.IsColumnActive(column);
        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => row.GetGetter<TValue>(column);

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                row.Dispose();
            base.Dispose(disposing);
        }
    }
}
