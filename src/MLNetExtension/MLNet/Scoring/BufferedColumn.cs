using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetExtension.MLNet.Scoring;

/// <summary>Copies of a column's values in the rows that a cursor has read ahead.</summary>
internal abstract class BufferedColumn
{
    /// <summary>Whether values of a type can be copied: ML.NET's own criterion, because a value of another type may belong to its row.</summary>
    public static bool CanBuffer(DataViewType type) => type is PrimitiveDataViewType or VectorDataViewType;

    /// <summary>Creates an empty buffer for a column that is active in a row, of a type that can be buffered.</summary>
    public static BufferedColumn Create(DataViewRow row, DataViewSchema.Column column)
    {
        var (method, item) = column.Type is VectorDataViewType vector ? (nameof(OfVectors), vector.ItemType.RawType) : (nameof(OfScalars), column.Type.RawType);
        return (BufferedColumn)typeof(BufferedColumn).GetMethod(method, BindingFlags.Static | BindingFlags.NonPublic)!.MakeGenericMethod(item).Invoke(null, [row, column])!;
    }

    /// <summary>Removes every value.</summary>
    public abstract void Clear();

    /// <summary>Adds a copy of the current row's value.</summary>
    public abstract void Add();

    /// <summary>Creates a getter of the values, numbered in the order in which they were added.</summary>
    public abstract Delegate CreateGetter(Func<int> current);

    private static Values<T> OfScalars<T>(DataViewRow row, DataViewSchema.Column column) =>
        new(row.GetGetter<T>(column), static (in T buffered, ref T value) => value = buffered);

    // A vector's storage belongs to the caller, who reuses it for the next row: each call copies.
    private static Values<VBuffer<T>> OfVectors<T>(DataViewRow row, DataViewSchema.Column column) =>
        new(row.GetGetter<VBuffer<T>>(column), static (in VBuffer<T> buffered, ref VBuffer<T> value) => buffered.CopyTo(ref value));

    private delegate void Copy<T>(in T buffered, ref T value);

    private sealed class Values<T>(ValueGetter<T> source, Copy<T> copy) : BufferedColumn
    {
        private readonly List<T> _values = [];

        public override void Clear() => _values.Clear();

        public override void Add()
        {
            T value = default!;
            source(ref value);
            _values.Add(value);
        }

        public override Delegate CreateGetter(Func<int> current) => (ValueGetter<T>)((ref T value) => copy(_values[current()], ref value));
    }
}
