using Microsoft.ML;
using MLNetExtension.MLNet.Schema;
using MLNetExtension.Training.Ranks;

namespace MLNetExtension.MLNet.Scoring;

/// <summary>The input with the added columns; nothing is read or computed before a cursor asks.</summary>
internal sealed class ScoringDataView(IDataView source, ColumnBinding binding, RowScoring scoring) : IDataView
{
    public DataViewSchema Schema => binding.OutputSchema;

    /// <summary>The ranks that evaluate together.</summary>
    public IRankGroup Ranks => scoring.Ranks;

    /// <summary>Of the rows, those that this rank scores in an evaluation: every rank has others.</summary>
    public IDataView OwnShare => Ranks.Size == 1 ? this : new ScoringDataView(new RowShare(source, Ranks.Rank, Ranks.Size), binding, scoring);

    public bool CanShuffle => source.CanShuffle;

    public long? GetRowCount() => source.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        bool[] active = binding.Active(columnsNeeded);
        return Wrap(source.GetRowCursor(binding.Needed(active), rand), active);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null)
    {
        bool[] active = binding.Active(columnsNeeded);
        return [.. source.GetRowCursorSet(binding.Needed(active), n, rand).Select(cursor => Wrap(cursor, active))];
    }

    private DataViewRowCursor Wrap(DataViewRowCursor cursor, bool[] active) =>
        binding.AnyOutput(active) && binding.Passed(active).All(column => BufferedColumn.CanBuffer(column.Type))
            ? new LookAheadCursor(cursor, binding, scoring, active)
            : new SingleRowCursor(cursor, new ScoredRow(cursor, binding, scoring, active), active);
}
