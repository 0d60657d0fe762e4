using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetExtension.MLNet.Scoring;

/// <summary>Copies of a column's values in the rows that a cursor has gone past.</summary>
internal abstract class HeldColumn
{
    /// <summary>Whether values of a type can be held: ML.NET's own criterion, since other types may tie a value to its row.</summary>
    public static bool CanHold(DataViewType type) => type is PrimitiveDataViewType or VectorDataViewType;

    /// <summary>Makes the copies of a column that is active in a cursor, and of a type that can be held.</summary>
    public static HeldColumn Of(DataViewRow row, DataViewSchema.Column column)
    {
        var (method, item) = column.Type is VectorDataViewType vector ? (nameof(OfVectors), vector.ItemType.RawType) : (nameof(OfScalars), column.Type.RawType);
        return (HeldColumn)typeof(HeldColumn).GetMethod(method, BindingFlags.Static | BindingFlags.NonPublic)!.MakeGenericMethod(item).Invoke(null, [row, column])!;
    }

    /// <summary>Forgets every value.</summary>
    public abstract void Clear();

    /// <summary>Copies the value of the row where the cursor stands.</summary>
    public abstract void Hold();

    /// <summary>Makes a getter of held values, numbered in the order in which they were held.</summary>
    public abstract Delegate Getter(Func<int> current);

    private static Values<T> OfScalars<T>(DataViewRow row, DataViewSchema.Column column) =>
        new(row.GetGetter<T>(column), static (in T held, ref T value) => value = held);

    // A vector's storage belongs to whoever asked for it, and is written again for the next row: each taker gets a copy.
    private static Values<VBuffer<T>> OfVectors<T>(DataViewRow row, DataViewSchema.Column column) =>
        new(row.GetGetter<VBuffer<T>>(column), static (in VBuffer<T> held, ref VBuffer<T> value) => held.CopyTo(ref value));

    private delegate void Copy<T>(in T held, ref T value);

    private sealed class Values<T>(ValueGetter<T> source, Copy<T> copy) : HeldColumn
    {
        private readonly List<T> _values = [];

        public override void Clear() => _values.Clear();

        public override void Hold()
        {
            T value = default!;
            source(ref value);
            _values.Add(value);
        }

        public override Delegate Getter(Func<int> current) => (ValueGetter<T>)((ref T value) => copy(_values[current()], ref value));
    }
}
