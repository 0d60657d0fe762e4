using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>A view of the same columns with other rows, or with the same in another order.</summary>
internal abstract class RowSelection(IHost host, IDataView source) : IDataView
{
    public abstract bool CanShuffle { get; }

    public DataViewSchema Schema => Source.Schema;

    protected IHost Host { get; } = host;

    protected IDataView Source { get; } = source;

    public abstract long? GetRowCount();

    public abstract DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null);

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];

    /// <summary>Passes values through; it may read more columns than it shows.</summary>
    protected abstract class CursorBase(IChannelProvider provider, DataViewRowCursor input, bool[] active) : LinkedRootCursorBase(provider, input)
    {
        public override DataViewSchema Schema => Input.Schema;

        public override long Batch => Input.Batch;

        public override bool IsColumnActive(DataViewSchema.Column column)
        {
            Ch.Check(column.Index < active.Length);
            return active[column.Index];
        }

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            Ch.Check(IsColumnActive(column));
            return Input.GetGetter<TValue>(column);
        }

        public override ValueGetter<DataViewRowId> GetIdGetter() => Input.GetIdGetter();
    }
}

/// <summary>The rows that pass a test, which is made anew for each cursor and asked once for each row of the source.</summary>
internal sealed class RowFilter(IHostEnvironment env, IDataView source, IReadOnlyList<DataViewSchema.Column> tested,
    Func<DataViewRow, Func<bool>> makeTest, bool keepsOrder = false) : RowSelection(env.Register(nameof(RowFilter)), source)
{
    public override bool CanShuffle => !keepsOrder && Source.CanShuffle;

    public override long? GetRowCount() => null;

    public override DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
    {
        bool[] active = RowCursorUtils.ToFlags(columnsNeeded, Schema);
        IEnumerable<DataViewSchema.Column> read = Schema.Where(column => active[column.Index] || tested.Any(other => other.Index == column.Index));
        DataViewRowCursor input = Source.GetRowCursor(read, keepsOrder ? null : rand);
        return new Cursor(Host, input, active, makeTest(input));
    }

    /// <summary>Reads a Single or Double column, or a vector of either.</summary>
    public static Func<IEnumerable<double>> RealsOf(DataViewRow row, DataViewSchema.Column column)
    {
        Type type = column.Type.RawType;
        return type == typeof(float) ? Map(Reader(row.GetGetter<float>(column)), value => [value])
            : type == typeof(double) ? Map(Reader(row.GetGetter<double>(column)), value => [value])
            : type == typeof(VBuffer<float>) ? Map(Reader(row.GetGetter<VBuffer<float>>(column)), values => values.Items().Select(item => (double)item.Value))
            : Map(Reader(row.GetGetter<VBuffer<double>>(column)), values => values.Items().Select(item => item.Value));

        static Func<IEnumerable<double>> Map<T>(Func<T> read, Func<T, IEnumerable<double>> map) => () => map(read());
    }

    public static Func<T> Reader<T>(ValueGetter<T> getter)
    {
        T value = default;
        return () =>
        {
            getter(ref value);
            return value;
        };
    }

    private sealed class Cursor(IChannelProvider provider, DataViewRowCursor input, bool[] active, Func<bool> test) : CursorBase(provider, input, active)
    {
        protected override bool MoveNextCore()
        {
            while (Input.MoveNext())
            {
                if (test())
                    return true;
            }
            return false;
        }
    }
}

/// <summary>So many rows after so many others.</summary>
internal sealed class RowRange(IHostEnvironment env, IDataView source, long skip, long take) : RowSelection(env.Register(nameof(RowRange)), source)
{
    public override bool CanShuffle => false;

    public override long? GetRowCount() => Source.GetRowCount() is long count ? Math.Min(Math.Max(0, count - skip), take) : null;

    public override DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
    {
        bool[] active = RowCursorUtils.ToFlags(columnsNeeded, Schema);
        return new Cursor(Host, Source.GetRowCursor(columnsNeeded), active, skip, take);
    }

    private sealed class Cursor(IChannelProvider provider, DataViewRowCursor input, bool[] active, long skip, long take) : CursorBase(provider, input, active)
    {
        protected override bool MoveNextCore()
        {
            if (Position + 1 >= take)
                return false;
            for (; skip > 0; skip--)
            {
                if (!Input.MoveNext())
                    return false;
            }
            return Input.MoveNext();
        }
    }
}
