using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

internal static class RowCursorUtils
{
    public const string FetchValueStateError = "Values cannot be fetched at this time. This method was called either before the first call to " +
        "MoveNext, or at any point after that method returned false.";

    private static readonly System.Reflection.MethodInfo _getGetter = typeof(DataViewRow).GetMethod(nameof(DataViewRow.GetGetter));

    /// <summary>Which columns of the schema are asked for, by index.</summary>
    public static bool[] ToFlags(IEnumerable<DataViewSchema.Column> columns, DataViewSchema schema)
    {
        Contracts.CheckValue(columns, "columnsNeeded");
        bool[] flags = new bool[schema.Count];
        foreach (DataViewSchema.Column column in columns)
        {
            if (column.Index >= flags.Length)
                throw Contracts.Except($"The requested column: {column} is not part of the sourceSchema");
            flags[column.Index] = true;
        }
        return flags;
    }

    /// <summary>The getter of a column whose type is known only at run time.</summary>
    public static Delegate GetGetterAsDelegate(DataViewRow row, int col) => (Delegate)_getGetter.MakeGenericMethod(row.Schema[col].Type.RawType)
        .Invoke(row, System.Reflection.BindingFlags.DoNotWrapExceptions, null, [row.Schema[col]], null);

    /// <summary>The getter as the type asked for, or the exception that the genuine package's rows give.</summary>
    public static ValueGetter<TValue> Cast<TValue>(Delegate getter) => getter as ValueGetter<TValue> ?? throw Contracts.Except(
        $"Invalid TValue in GetGetter: '{typeof(TValue)}', expected type: '{getter.GetType().GetGenericArguments()[0]}'.");
}

internal static class DataViewExtensions
{
    public static DataViewRowCursor GetRowCursor(this IDataView data, params DataViewSchema.Column[] columnsNeeded) => data.GetRowCursor(columnsNeeded);
    public static DataViewRowCursor GetRowCursorForAllColumns(this IDataView data) => data.GetRowCursor(data.Schema);
}
