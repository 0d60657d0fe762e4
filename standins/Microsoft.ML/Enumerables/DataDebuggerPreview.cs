using System.Collections.Immutable;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML
{
    public static class DebuggerExtensions
    {
        public static DataDebuggerPreview Preview(this IDataView data, int maxRows = 100) => new(data, maxRows);

        public static DataDebuggerPreview Preview(this ITransformer transformer, IDataView data, int maxRows = 100) =>
            new(transformer.Transform(data), maxRows);
    }
}

namespace Microsoft.ML.Data
{
    /// <summary>The first rows, all columns of them computed, for a debugger or a test to look at.</summary>
    public sealed class DataDebuggerPreview
    {
        internal DataDebuggerPreview(IDataView data, int maxRows)
        {
            Contracts.CheckValue(data, nameof(data));
            Contracts.CheckParam(maxRows >= 0, nameof(maxRows));
            Schema = data.Schema;
            List<RowInfo> rows = [];
            using (DataViewRowCursor cursor = data.GetRowCursorForAllColumns())
            {
                Func<object>[] readers = [.. Schema.Select(c => MakeReader(cursor, c))];
                while (rows.Count < maxRows && cursor.MoveNext())
                    rows.Add(new RowInfo([.. readers.Select((read, c) => KeyValuePair.Create(Schema[c].Name, read()))]));
            }
            RowView = [.. rows];
            ColumnView = [.. Schema.Select(c => new ColumnInfo(c, [.. rows.Select(r => r.Values[c.Index].Value)]))];
        }

        public DataViewSchema Schema { get; }
        public ImmutableArray<ColumnInfo> ColumnView { get; }
        public ImmutableArray<RowInfo> RowView { get; }
        public override string ToString() => $"{Schema.Count} columns, {RowView.Length} rows";

        private static Func<object> MakeReader(DataViewRow row, DataViewSchema.Column column) =>
            (Func<object>)((Func<Delegate, Func<object>>)MakeReader<int>).Method.GetGenericMethodDefinition().MakeGenericMethod(column.Type.RawType)
                .Invoke(null, [RowCursorUtils.GetGetterAsDelegate(row, column.Index)]);

        private static Func<object> MakeReader<T>(Delegate getter) => () =>
        {
            T value = default;
            ((ValueGetter<T>)getter)(ref value);
            return value;
        };

        public sealed class RowInfo
        {
            internal RowInfo(KeyValuePair<string, object>[] values) => Values = values;

            public KeyValuePair<string, object>[] Values { get; }

            public override string ToString() => $"{Values.Length} columns";
        }

        public sealed class ColumnInfo
        {
            internal ColumnInfo(DataViewSchema.Column column, object[] values)
            {
                Column = column;
                Values = values;
            }

            public DataViewSchema.Column Column { get; }

            public object[] Values { get; }

            public override string ToString() => $"{Column.Name}: {Column.Type}";
        }
    }
}
