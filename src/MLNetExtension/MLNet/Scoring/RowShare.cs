using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetExtension.MLNet.Scoring;

/// <summary>Every so many blocks of the rows of a data view, in order. Rows keep their positions; values of those left out are not read.</summary>
/// <param name="source">The rows.</param>
/// <param name="first">The first block that belongs to the share, from 0.</param>
/// <param name="every">How many shares there are: of so many blocks in a row, one belongs to this share.</param>
internal sealed class RowShare(IDataView source, int first, int every) : IDataView
{
    // As many as a cursor looks ahead, so that each block fills the same micro-batches.
    private const int BlockRows = LookAheadCursor.MaximumRows;

    public DataViewSchema Schema => source.Schema;

    public bool CanShuffle => false;

    public long? GetRowCount() => null;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null) => new Cursor(source.GetRowCursor(columnsNeeded), first, every);

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) => [GetRowCursor(columnsNeeded)];

    private sealed class Cursor(DataViewRowCursor input, int first, int every) : DataViewRowCursor
    {
        private long _row = -1;

        public override DataViewSchema Schema => input.Schema;

        public override long Position => input.Position;

        public override long Batch => input.Batch;

        public override bool MoveNext()
        {
            while (input.MoveNext())
            {
                _row++;
                if (_row / BlockRows % every == first)
                    return true;
            }
            return false;
        }

        public override ValueGetter<DataViewRowId> GetIdGetter() => input.GetIdGetter();

        public override bool IsColumnActive(DataViewSchema.Column column) => input.IsColumnActive(column);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => input.GetGetter<TValue>(column);

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                input.Dispose();
            base.Dispose(disposing);
        }
    }
}
