using System.Reflection;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

public static class ColumnCursorExtensions
{
    public static IEnumerable<T> GetColumn<T>(this IDataView data, string columnName) => GetColumn<T>(data, data.Schema[columnName]);

    public static IEnumerable<T> GetColumn<T>(this IDataView data, DataViewSchema.Column column)
    {
        Contracts.CheckValue(data, nameof(data));
        Contracts.CheckNonEmpty(column.Name, nameof(column));
        DataViewSchema.Column own = data.Schema[column.Index];
        if (own.Name != column.Name || own.Type != column.Type)
        {
            throw Contracts.ExceptParam(nameof(column),
                $"column with name {column.Name}, type {column.Type}, and index {column.Index} cannot be found in data");
        }
        if (column.Type.RawType == typeof(T))
            return Read<T, T>(data, column, value => value);
        if (typeof(T) == typeof(string) && column.Type is TextDataViewType)
            return (IEnumerable<T>)Read<ReadOnlyMemory<char>, string>(data, column, text => text.ToString());
        VectorDataViewType vector = column.Type as VectorDataViewType;
        if (typeof(T).IsArray && vector == null)
        {
            throw Contracts.ExceptParam(nameof(column),
                $"Cannot load vector type, {column.Type}, specified in column to the user-defined type, {typeof(T)}.");
        }
        if (typeof(T).IsArray && typeof(T).GetElementType() == vector.ItemType.RawType)
        {
            return (IEnumerable<T>)typeof(ColumnCursorExtensions).GetMethod(nameof(ReadArrays), BindingFlags.Static | BindingFlags.NonPublic)
                .MakeGenericMethod(vector.ItemType.RawType).Invoke(null, [data, column]);
        }
        if (typeof(T) == typeof(string[]) && vector.ItemType is TextDataViewType)
        {
            return (IEnumerable<T>)Read<VBuffer<ReadOnlyMemory<char>>, string[]>(data, column, row => [.. row.DenseValues().Select(text => text.ToString())]);
        }
        throw Contracts.ExceptParam(nameof(column),
            $"Cannot map column (name: {column.Name}, type: {column.Type}) in data to the user-defined type, {typeof(T)}.");
    }

    private static IEnumerable<T[]> ReadArrays<T>(IDataView data, DataViewSchema.Column column) =>
        Read<VBuffer<T>, T[]>(data, column, row =>
        {
            T[] values = new T[row.Length];
            row.CopyTo(values);
            return values;
        });

    // A VBuffer asked for as such is the same one row after row.
    private static IEnumerable<TOut> Read<TData, TOut>(IDataView data, DataViewSchema.Column column, Func<TData, TOut> convert)
    {
        using DataViewRowCursor cursor = data.GetRowCursor([column]);
        ValueGetter<TData> getter = cursor.GetGetter<TData>(column);
        TData value = default;
        while (cursor.MoveNext())
        {
            getter(ref value);
            yield return convert(value);
        }
    }
}
