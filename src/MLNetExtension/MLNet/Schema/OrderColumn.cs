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
        Func<double> read = NumberColumn.Reader(row, row.Schema[name]);
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
}
