using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>Rows in random order: each comes at random from a pool that the next row of the source then joins.</summary>
internal sealed class ShuffledView : RowSelection
{
    private readonly int _seed;
    private readonly int _poolSize;
    private readonly bool _shufflesSource;

    public ShuffledView(IHostEnvironment env, IDataView source, int? seed, int poolSize, bool shufflesSource)
        : base(env.Register("Shuffle"), source)
    {
        _seed = seed ?? (int)(uint)(Host.Rand.NextDouble() * (1L << 32));
        _poolSize = poolSize;
        _shufflesSource = shufflesSource;
    }

    public override bool CanShuffle => true;

    public override long? GetRowCount() => Source.GetRowCount();

    public override DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
    {
        Random random = rand ?? RandomUtils.Create(_seed);
        DataViewRowCursor input = Source.GetRowCursor(columnsNeeded, _shufflesSource ? RandomUtils.Create(random) : null);
        return _poolSize == 1 ? input : new Cursor(Host, input, RowCursorUtils.ToFlags(columnsNeeded, Schema), random, _poolSize);
    }

    private sealed class Cursor : CursorBase
    {
        private readonly Random _random;
        private readonly PooledColumn[] _columns;
        private readonly PooledColumn _ids;

        // A ring: the current row's slot is at the head, and the live ones follow.
        private readonly int[] _slots;
        private int _head;
        private int _live = -1;

        public Cursor(IChannelProvider provider, DataViewRowCursor input, bool[] active, Random random, int poolSize)
            : base(provider, input, active)
        {
            _random = random;
            _slots = [.. Enumerable.Range(0, poolSize)];
            _columns = [.. input.Schema.Select(column => active[column.Index] ? PooledColumn.Create(input, column, poolSize, Current) : null)];
            _ids = PooledColumn.Of(input.GetIdGetter(), poolSize, Current);
        }

        public override long Batch => 0;

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            Ch.CheckParam(IsColumnActive(column), nameof(column), "requested column not active");
            return RowCursorUtils.Cast<TValue>(_columns[column.Index].Getter);
        }

        public override ValueGetter<DataViewRowId> GetIdGetter() => (ValueGetter<DataViewRowId>)_ids.Getter;

        protected override bool MoveNextCore()
        {
            if (_live < 0)
            {
                for (_live = 0; _live < _slots.Length && TryFill(_slots[_live]);)
                    _live++;
            }
            else
            {
                // The slot just left is where the ring ends now.
                bool filled = TryFill(_slots[_head]);
                _head = (_head + 1) % _slots.Length;
                if (!filled)
                    _live--;
            }
            if (_live == 0)
                return false;
            int drawn = (_head + _random.Next(_live)) % _slots.Length;
            (_slots[drawn], _slots[_head]) = (_slots[_head], _slots[drawn]);
            return true;
        }

        private bool TryFill(int slot)
        {
            if (!Input.MoveNext())
                return false;
            foreach (PooledColumn column in _columns)
                column?.Fill(slot);
            _ids.Fill(slot);
            return true;
        }

        private int Current()
        {
            Ch.Check(IsGood, RowCursorUtils.FetchValueStateError);
            return _slots[_head];
        }
    }

    /// <summary>The values of one column in the pool: filling a slot, and the value in the current row's.</summary>
    private sealed record PooledColumn(Action<int> Fill, Delegate Getter)
    {
        public static PooledColumn Create(DataViewRow row, DataViewSchema.Column column, int size, Func<int> current) => (PooledColumn)(
            column.Type is VectorDataViewType vector
                ? Generics.Call(OfVectors<int>, vector.ItemType.RawType, row, column, size, current)
                : Generics.Call(OfScalars<int>, column.Type.RawType, row, column, size, current));

        public static PooledColumn Of<T>(ValueGetter<T> getter, int size, Func<int> current)
        {
            T[] values = new T[size];
            return new PooledColumn(slot => getter(ref values[slot]), (ValueGetter<T>)((ref value) => value = values[current()]));
        }

        private static PooledColumn OfScalars<T>(DataViewRow row, DataViewSchema.Column column, int size, Func<int> current) =>
            Of(row.GetGetter<T>(column), size, current);

        private static PooledColumn OfVectors<T>(DataViewRow row, DataViewSchema.Column column, int size, Func<int> current)
        {
            ValueGetter<VBuffer<T>> getter = row.GetGetter<VBuffer<T>>(column);
            VBuffer<T>[] values = new VBuffer<T>[size];
            return new PooledColumn(slot => getter(ref values[slot]), (ValueGetter<VBuffer<T>>)((ref value) => values[current()].CopyTo(ref value)));
        }
    }
}
