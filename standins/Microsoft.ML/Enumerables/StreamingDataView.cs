using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>Objects as rows: each cursor enumerates them anew, so that what is added later is seen by later cursors. Never shuffled.</summary>
internal sealed class StreamingDataView<TRow> : IDataView
    where TRow : class
{
    private readonly IHost _host;
    private readonly IEnumerable<TRow> _data;
    private readonly MemberSchema<TRow> _members;

    public StreamingDataView(IHostEnvironment env, IEnumerable<TRow> data, SchemaDefinition definition)
    {
        _members = new MemberSchema<TRow>(definition);
        _host = env.Register("StreamingDataView");
        _data = data;
    }

    public bool CanShuffle => false;
    public DataViewSchema Schema => _members.Schema;
    public long? GetRowCount() => (_data as ICollection<TRow>)?.Count;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null) =>
        new Cursor(_host, this, RowCursorUtils.ToFlags(columnsNeeded, Schema));

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];

    private sealed class Cursor : RootCursorBase
    {
        private readonly ObjectGetters<TRow> _getters;

        // Not disposed of, as in the genuine package.
        private readonly IEnumerator<TRow> _rows;
        private TRow _current;

        public Cursor(IHost host, StreamingDataView<TRow> parent, bool[] active)
            : base(host)
        {
            Schema = parent.Schema;
            _getters = new ObjectGetters<TRow>(host, parent._members, active, () => _current);
            _rows = parent._data.GetEnumerator();
        }

        public override DataViewSchema Schema { get; }
        public override long Batch => 0;
        public override bool IsColumnActive(DataViewSchema.Column column) => _getters.IsActive(column);
        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => _getters.Get<TValue>(column);

        public override ValueGetter<DataViewRowId> GetIdGetter() => (ref id) =>
        {
            Ch.Check(IsGood, RowCursorUtils.FetchValueStateError);
            id = new DataViewRowId((ulong)Position, 0);
        };

        protected override bool MoveNextCore()
        {
            bool moved = _rows.MoveNext();
            _current = moved ? _rows.Current : null;
            Ch.Check(!moved || _current != null, "Encountered null when iterating over data, this is not supported.");
            return moved;
        }
    }
}

/// <summary>A row whose object is exchanged; each exchange is a new position.</summary>
internal sealed class InputRow<TRow> : DataViewRow
    where TRow : class
{
    private readonly ObjectGetters<TRow> _getters;
    private TRow _current;
    private long _position = -1;

    public InputRow(IHostEnvironment env, MemberSchema<TRow> members)
    {
        Schema = members.Schema;
        _getters = new ObjectGetters<TRow>(env, members, [.. members.Columns.Select(_ => true)], () =>
        {
            Contracts.Check(_position >= 0, RowCursorUtils.FetchValueStateError);
            return _current;
        });
    }

    public override DataViewSchema Schema { get; }
    public override long Position => _position;
    public override long Batch => 0;

    public void SetRow(TRow row)
    {
        Contracts.CheckValue(row, nameof(row));
        _current = row;
        _position++;
    }

    public override bool IsColumnActive(DataViewSchema.Column column) => _getters.IsActive(column);
    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => _getters.Get<TValue>(column);
    public override ValueGetter<DataViewRowId> GetIdGetter() => (ref id) => id = new DataViewRowId((ulong)_position, 0);
}
