using Microsoft.ML;

namespace MLNetExtension.MLNet.Schema;

/// <summary>Where rows are read from.</summary>
/// <param name="Data">Has the columns, with the types that their roles ask for.</param>
/// <param name="Columns">What rows hold.</param>
/// <param name="Order">The column that the order of rows follows, which receives its values; null where it follows none.</param>
internal sealed record RowSource(IDataView Data, InputColumns Columns, OrderColumn? Order = null)
{
    /// <summary>Opens a cursor over all rows, in order.</summary>
    public DataViewRowCursor OpenCursor() =>
        Data.GetRowCursor(Order is null ? Columns.FindIn(Data.Schema) : Columns.FindIn(Data.Schema).Append(Data.Schema[Order.Name]));
}
