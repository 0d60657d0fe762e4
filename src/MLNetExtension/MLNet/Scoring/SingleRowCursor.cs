using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetExtension.MLNet.Scoring;

/// <summary>Reads one row at a time: where no added column is read, or a column that is passed on cannot be buffered.</summary>
/// <remarks>The row wraps the input and owns it.</remarks>
internal sealed class SingleRowCursor(DataViewRowCursor input, ScoredRow row, bool[] active) : DataViewRowCursor
{
    public override DataViewSchema Schema => row.Schema;

    public override long Position => row.Position;

    public override long Batch => row.Batch;

    public override bool MoveNext() => input.MoveNext();

    public override ValueGetter<DataViewRowId> GetIdGetter() => row.GetIdGetter();

    // The input may have more columns active than the caller needs: those that rows are read from.
    public override bool IsColumnActive(DataViewSchema.Column column) => active[column.Index];

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => active[column.Index]
        ? row.GetGetter<TValue>(column)
        : throw new InvalidOperationException($"Column '{column.Name}' is not active in this cursor.");

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            row.Dispose();
        base.Dispose(disposing);
    }
}
