using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>A schema without rows, for what can only be asked of a view.</summary>
internal sealed class EmptyDataView(IHostEnvironment env, DataViewSchema schema) : IDataView
{
    private readonly IHost _host = env.Register(nameof(EmptyDataView));
    public bool CanShuffle => true;
    public DataViewSchema Schema { get; } = schema;
    public long? GetRowCount() => 0;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null) =>
        new Cursor(_host, Schema, RowCursorUtils.ToFlags(columnsNeeded, Schema));

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];

    private sealed class Cursor(IChannelProvider provider, DataViewSchema schema, bool[] active) : RootCursorBase(provider)
    {
        public override DataViewSchema Schema { get; } = schema;
        public override long Batch => 0;
        public override ValueGetter<DataViewRowId> GetIdGetter() => (ref _) => throw Ch.Except(RowCursorUtils.FetchValueStateError);
        public override bool IsColumnActive(DataViewSchema.Column column) => column.Index < active.Length && active[column.Index];

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            Ch.CheckParam(IsColumnActive(column), nameof(column), "requested column not active");
            return (ref _) => throw Ch.Except(RowCursorUtils.FetchValueStateError);
        }

        protected override bool MoveNextCore() => false;
    }
}
