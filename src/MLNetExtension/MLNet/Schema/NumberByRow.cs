using Microsoft.ML;
using MLNetExtension.Data;

namespace MLNetExtension.MLNet.Schema;

/// <summary>Reads a column of numbers beside what the rows hold: 8 bytes a row.</summary>
/// <param name="name">The column's name.</param>
/// <param name="use">What its numbers are for, for messages: "which the order of rows follows".</param>
internal sealed class NumberByRow(string name, string use)
{
    private readonly List<double> _values = [];    // by the row's position in the data

    /// <summary>The column's name.</summary>
    public string Name => name;

    /// <summary>Which numbers are allowed, and how a message says so. Default: all that are numbers.</summary>
    public (Func<double, bool> Test, string Description) Allowed { get; init; } = (value => !double.IsNaN(value), "a number");

    /// <summary>Begins with the first row of a cursor.</summary>
    /// <param name="row">The cursor, in which the column is active.</param>
    /// <returns>Reads the next row.</returns>
    /// <exception cref="InvalidOperationException">What was read is not allowed; the message names column and row.</exception>
    public Action Start(DataViewRow row)
    {
        _values.Clear();
        Func<double> read = NumberColumn.Reader(row, row.Schema[name]);
        return () =>
        {
            double value = read();
            if (!Allowed.Test(value))
                throw new InvalidOperationException(FormattableString.Invariant($"The value of row {_values.Count} in column '{name}', {use}, is {value}; allowed is {Allowed.Description}."));
            _values.Add(value);
        };
    }

    /// <summary>Gives the value of an example's row.</summary>
    public double ValueOf(TokenExample example) => _values[(int)example.Position];
}
