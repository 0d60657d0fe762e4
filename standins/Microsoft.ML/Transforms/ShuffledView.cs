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
        private readonly PooledColumn<DataViewRowId> _ids;

        // A ring: the current row's slot is at the head, and the live ones follow.
        private readonly int[] _slots;
        private int _head;
        private int _live = -1;

        public Cursor(IChannelProvider provider, DataViewRowCursor input, bool[] active, Random random, int poolSize)
            : base(provider, input, active)
        {
            _random = random;
            _slots = [.. Enumerable.Range(0, poolSize)];
            _columns = [.. input.Schema.Select(column => active[column.Index] ? PooledColumn.Create(input, column, poolSize) : null)];
            _ids = new PooledColumn<DataViewRowId>(input.GetIdGetter(), poolSize, null);
        }

        public override long Batch => 0;

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            Ch.CheckParam(IsColumnActive(column), nameof(column), "requested column not active");
            return _columns[column.Index] is PooledColumn<TValue> pooled ? Getter(pooled)
                : throw Ch.Except($"Invalid TValue: '{typeof(TValue)}', expected type: '{column.Type.RawType}'.");
        }

        public override ValueGetter<DataViewRowId> GetIdGetter() => Getter(_ids);

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

        private ValueGetter<T> Getter<T>(PooledColumn<T> column) => (ref T value) =>
        {
            Ch.Check(IsGood, RowCursorUtils.FetchValueStateError);
            column.Fetch(_slots[_head], ref value);
        };
    }

    private delegate void Copier<T>(in T from, ref T to);

    private abstract class PooledColumn
    {
        public abstract void Fill(int slot);

        public static PooledColumn Create(DataViewRow row, DataViewSchema.Column column, int poolSize) => (PooledColumn)typeof(PooledColumn)
            .GetMethod(column.Type is VectorDataViewType ? nameof(Vector) : nameof(Scalar))
            .MakeGenericMethod((column.Type as VectorDataViewType)?.ItemType.RawType ?? column.Type.RawType).Invoke(null, [row, column, poolSize]);

        public static PooledColumn Scalar<T>(DataViewRow row, DataViewSchema.Column column, int poolSize) =>
            new PooledColumn<T>(row.GetGetter<T>(column), poolSize, null);

        public static PooledColumn Vector<T>(DataViewRow row, DataViewSchema.Column column, int poolSize) =>
            new PooledColumn<VBuffer<T>>(row.GetGetter<VBuffer<T>>(column), poolSize, (in VBuffer<T> from, ref VBuffer<T> to) => from.CopyTo(ref to));
    }

    private sealed class PooledColumn<T>(ValueGetter<T> getter, int poolSize, Copier<T> copy) : PooledColumn
    {
        private readonly T[] _values = new T[poolSize];

        public override void Fill(int slot) => getter(ref _values[slot]);

        public void Fetch(int slot, ref T value)
        {
            if (copy == null)
                value = _values[slot];
            else
                copy(in _values[slot], ref value);
        }
    }
}
