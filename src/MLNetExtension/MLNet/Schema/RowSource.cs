using Microsoft.ML;

namespace MLNetExtension.MLNet.Schema;

/// <summary>Where rows are read from.</summary>
/// <param name="Data">Has the columns, with the types that their roles ask for.</param>
/// <param name="Columns">What rows hold.</param>
/// <param name="Numbers">The columns of numbers that are read beside them, which receive their values.</param>
internal sealed record RowSource(IDataView Data, InputColumns Columns, params IReadOnlyList<NumberByRow> Numbers)
{
    /// <summary>Opens a cursor over all rows, in order.</summary>
    public DataViewRowCursor OpenCursor() =>
        Data.GetRowCursor(Columns.FindIn(Data.Schema).Concat(Numbers.Select(column => Data.Schema[column.Name])));
}
