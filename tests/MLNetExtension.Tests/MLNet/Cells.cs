using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetExtension.Tests.MLNet;

/// <summary>Reads the values of columns, whatever their types, and compares them.</summary>
internal static class Cells
{
    /// <summary>Reads the named columns of every row, from one cursor.</summary>
    public static List<object[]> Read(IDataView view, params string[] columns)
    {
        DataViewSchema.Column[] active = [.. columns.Select(name => view.Schema[name])];
        return Read(view.GetRowCursor(active), active);
    }

    /// <summary>Reads columns of a cursor to its end and disposes it.</summary>
    public static List<object[]> Read(DataViewRowCursor cursor, IReadOnlyList<DataViewSchema.Column> columns)
    {
        using (cursor)
        {
            Func<object>[] getters = [.. columns.Select(column => Getter(cursor, column))];
            var rows = new List<object[]>();
            while (cursor.MoveNext())
                rows.Add([.. getters.Select(getter => getter())]);
            return rows;
        }
    }

    /// <summary>Makes a getter of a copy of the current row's value.</summary>
    public static Func<object> Getter(DataViewRow row, DataViewSchema.Column column) => column.Type.RawType switch
    {
        Type type when type == typeof(float) => Scalar<float>(row, column),
        Type type when type == typeof(int) => Scalar<int>(row, column),
        Type type when type == typeof(uint) => Scalar<uint>(row, column),
        Type type when type == typeof(bool) => Scalar<bool>(row, column),
        Type type when type == typeof(ReadOnlyMemory<char>) => Text(row, column),
        Type type when type == typeof(VBuffer<float>) => Vector<float>(row, column),
        Type type when type == typeof(VBuffer<int>) => Vector<int>(row, column),
        Type type => throw new NotSupportedException($"Column '{column.Name}' has values of type {type}."),
    };

    /// <summary>Whether two values are the same; numbers to this share of their size, or of 1 where they are smaller.</summary>
    public static bool Same(object expected, object actual, double tolerance) => (expected, actual) switch
    {
        (float x, float y) => x.Equals(y) || Math.Abs(x - y) <= tolerance * Math.Max(1, Math.Abs(x)),
        (float[] x, float[] y) => x.Length == y.Length && x.Zip(y).All(pair => Same(pair.First, pair.Second, tolerance)),
        (int[] x, int[] y) => x.SequenceEqual(y),
        _ => expected.Equals(actual),
    };

    public static void AssertSame(IReadOnlyList<object[]> expected, IReadOnlyList<object[]> actual, double tolerance, string what)
    {
        Assert.HasCount(expected.Count, actual, what);
        for (int row = 0; row < expected.Count; row++)
        {
            for (int column = 0; column < expected[row].Length; column++)
                Assert.IsTrue(Same(expected[row][column], actual[row][column], tolerance), $"{what}: row {row}, value {column}: {Show(actual[row][column])}, expected {Show(expected[row][column])}");
        }
    }

    private static string Show(object value) => value is Array items ? string.Join(" ", items.Cast<object>()) : string.Create(CultureInfo.InvariantCulture, $"{value}");

    private static Func<object> Scalar<T>(DataViewRow row, DataViewSchema.Column column)
        where T : struct
    {
        var getter = row.GetGetter<T>(column);
        return () =>
        {
            T value = default;
            getter(ref value);
            return value;
        };
    }

    private static Func<object> Text(DataViewRow row, DataViewSchema.Column column)
    {
        var getter = row.GetGetter<ReadOnlyMemory<char>>(column);
        return () =>
        {
            ReadOnlyMemory<char> value = default;
            getter(ref value);
            return value.ToString();
        };
    }

    // One buffer for all rows, as ML.NET's own consumers keep one.
    private static Func<object> Vector<T>(DataViewRow row, DataViewSchema.Column column)
    {
        var getter = row.GetGetter<VBuffer<T>>(column);
        VBuffer<T> value = default;
        return () =>
        {
            getter(ref value);
            return value.DenseValues().ToArray();
        };
    }
}
