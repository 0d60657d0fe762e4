using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>
/// Columns kept in memory once a cursor has asked for them. The source is read once for the columns that one cursor adds, when that cursor
/// first moves; a cursor that shuffles must know the number of rows, and reads at once.
/// </summary>
internal sealed class CacheDataView : IDataView
{
    private readonly IHost _host;
    private readonly IDataView _source;
    private readonly ColumnStore[] _columns;
    private readonly Lock _lock = new();
    private long _rowCount;

    public CacheDataView(IHostEnvironment env, IDataView input, int[] prefetch)
    {
        _host = env.Register("Cache");
        _host.CheckValue(input, nameof(input));
        _source = input;
        _columns = new ColumnStore[input.Schema.Count];
        _rowCount = input.GetRowCount() ?? -1;
        if (prefetch.Length > 0)
            Fill(prefetch);
    }

    public bool CanShuffle => true;
    public DataViewSchema Schema => _source.Schema;
    public long? GetRowCount() => _rowCount < 0 ? null : _rowCount;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
    {
        bool[] active = RowCursorUtils.ToFlags(columnsNeeded, Schema);
        int[] order = null;
        if (rand != null)
        {
            Fill(IndicesOf(active));
            order = RandomUtils.GetRandomPermutation(rand, (int)_rowCount);
        }
        return new Cursor(this, active, order);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];

    private static int[] IndicesOf(bool[] active) => [.. Enumerable.Range(0, active.Length).Where(c => active[c])];

    private void Fill(int[] columns)
    {
        lock (_lock)
        {
            int[] missing = [.. columns.Where(c => _columns[c] == null)];
            if (missing.Length == 0 && _rowCount >= 0)
                return;
            try
            {
                using DataViewRowCursor cursor = _source.GetRowCursor(missing.Select(c => Schema[c]));
                ColumnStore[] stores = [.. missing.Select(c => ColumnStore.Create(cursor, Schema[c]))];
                long count = 0;
                for (; cursor.MoveNext(); count++)
                {
                    foreach (ColumnStore store in stores)
                        store.AddCurrent();
                }
                _rowCount = count;
                for (int i = 0; i < missing.Length; i++)
                    _columns[missing[i]] = stores[i];
            }
            catch (Exception e)
            {
                throw Contracts.Except(null, "Event we were waiting on was subject to an exception", e);
            }
        }
    }

    private sealed class Cursor(CacheDataView parent, bool[] active, int[] order) : RootCursorBase(parent._host)
    {
        private bool _filled = order != null;
        public override DataViewSchema Schema => parent.Schema;
        public override long Batch => 0;
        private int Row => order == null ? (int)Position : order[Position];

        public override ValueGetter<DataViewRowId> GetIdGetter() => (ref id) =>
        {
            Ch.Check(IsGood, "Cannot call ID getter in current state");
            id = new DataViewRowId((ulong)Row, 0);
        };

        public override bool IsColumnActive(DataViewSchema.Column column)
        {
            Ch.CheckParam(column.Index < active.Length, nameof(column));
            return active[column.Index];
        }

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            Ch.CheckParam(IsColumnActive(column), nameof(column), "requested column not active");
            if (typeof(TValue) != Schema[column.Index].Type.RawType)
            {
                throw Ch.Except($"Invalid TValue: '{typeof(TValue)}', expected type: '{Schema[column.Index].Type.RawType}'.");
            }
            return (ref value) =>
            {
                Ch.Check(IsGood, RowCursorUtils.FetchValueStateError);
                ((ColumnStore<TValue>)parent._columns[column.Index]).Fetch(Row, ref value);
            };
        }

        protected override bool MoveNextCore()
        {
            if (!_filled)
                parent.Fill(IndicesOf(active));
            _filled = true;
            return Position + 1 < parent._rowCount;
        }
    }

    private abstract class ColumnStore
    {
        public static ColumnStore Create(DataViewRow row, DataViewSchema.Column column)
        {
            VectorDataViewType vector = column.Type as VectorDataViewType;
            Type store = vector == null ? typeof(ValueStore<>).MakeGenericType(column.Type.RawType) : typeof(VectorStore<>).MakeGenericType(vector.ItemType.RawType);
            return (ColumnStore)Activator.CreateInstance(store, RowCursorUtils.GetGetterAsDelegate(row, column.Index), vector?.Size ?? 0);
        }

        public abstract void AddCurrent();
    }

    private abstract class ColumnStore<T>(ValueGetter<T> getter, int size) : ColumnStore
    {
        private readonly List<T> _rows = [];
        private T _current;
        protected int Size { get; } = size;

        public override void AddCurrent()
        {
            getter(ref _current);
            T kept = default;
            Copy(in _current, ref kept);
            _rows.Add(kept);
        }

        public void Fetch(int row, ref T value)
        {
            T kept = _rows[row];
            Copy(in kept, ref value);
        }

        protected abstract void Copy(in T from, ref T to);
    }

    private sealed class ValueStore<T>(ValueGetter<T> getter, int size) : ColumnStore<T>(getter, size)
    {
        protected override void Copy(in T from, ref T to) => to = from;
    }

    private sealed class VectorStore<T>(ValueGetter<VBuffer<T>> getter, int size) : ColumnStore<VBuffer<T>>(getter, size)
    {
        protected override void Copy(in VBuffer<T> from, ref VBuffer<T> to)
        {
            if (Size > 0 && from.Length != Size)
                throw Contracts.Except($"Caching expected vector of size {Size}, but {from.Length} encountered.");
            from.CopyTo(ref to);
        }
    }
}
