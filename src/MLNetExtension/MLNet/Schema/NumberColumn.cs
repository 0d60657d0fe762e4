using System.Numerics;
using Microsoft.ML;

namespace MLNetExtension.MLNet.Schema;

/// <summary>A column of numbers, whatever their type.</summary>
internal static class NumberColumn
{
    /// <summary>Reads its numbers, 64-bit integers as the nearest <see cref="double"/>.</summary>
    /// <param name="row">The cursor, in which the column is active.</param>
    /// <param name="column">A scalar of any numeric type, or a key as its number.</param>
    /// <returns>Gives the present row's number.</returns>
    public static Func<double> Reader(DataViewRow row, DataViewSchema.Column column) => column.Type.RawType switch
    {
        Type type when type == typeof(float) => Reader<float>(row, column),
        Type type when type == typeof(double) => Reader<double>(row, column),
        Type type when type == typeof(sbyte) => Reader<sbyte>(row, column),
        Type type when type == typeof(byte) => Reader<byte>(row, column),
        Type type when type == typeof(short) => Reader<short>(row, column),
        Type type when type == typeof(ushort) => Reader<ushort>(row, column),
        Type type when type == typeof(int) => Reader<int>(row, column),
        Type type when type == typeof(uint) => Reader<uint>(row, column),
        Type type when type == typeof(long) => Reader<long>(row, column),
        _ => Reader<ulong>(row, column),
    };

    private static Func<double> Reader<T>(DataViewRow row, DataViewSchema.Column column)
        where T : struct, INumber<T>
    {
        var getter = row.GetGetter<T>(column);
        return () =>
        {
            T value = default;
            getter(ref value);
            return double.CreateChecked(value);
        };
    }
}
