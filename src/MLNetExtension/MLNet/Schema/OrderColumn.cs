using System.Numerics;
using Microsoft.ML;
using MLNetExtension.Data;

namespace MLNetExtension.MLNet.Schema;

/// <summary>Reads the column of numbers that the order of rows follows, beside what the rows hold: 8 bytes a row.</summary>
/// <param name="name">The column's name.</param>
internal sealed class OrderColumn(string name)
{
    private readonly List<double> _values = [];    // by the row's position in the data

    /// <summary>The column's name.</summary>
    public string Name => name;

    /// <summary>Begins with the first row of a cursor.</summary>
    /// <param name="row">The cursor, in which the column is active.</param>
    /// <returns>Reads the next row.</returns>
    /// <exception cref="InvalidOperationException">What was read is not a number; the message names column and row.</exception>
    public Action Start(DataViewRow row)
    {
        _values.Clear();
        Func<double> read = Reader(row, row.Schema[name]);
        return () =>
        {
            double value = read();
            if (double.IsNaN(value))
                throw new InvalidOperationException($"The value of row {_values.Count} in column '{name}', which the order of rows follows, is NaN; allowed is a number.");
            _values.Add(value);
        };
    }

    /// <summary>Gives the value of each example's row.</summary>
    public double[] ValuesOf(IReadOnlyList<TokenExample> examples) => [.. examples.Select(example => _values[(int)example.Position])];

    private static Func<double> Reader(DataViewRow row, DataViewSchema.Column column) => column.Type.RawType switch
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
