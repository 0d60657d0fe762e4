using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.Data;

namespace MLNetExtension.Estimators;

/// <summary>Checks that columns are there and of the right type, with ML.NET's exceptions and in its words.</summary>
internal static class InputSchema
{
    /// <summary>Checks the text columns of a schema shape.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing, or not scalar text.</exception>
    public static void Check(SchemaShape inputSchema, RowReaderColumns columns)
    {
        foreach (var (role, name) in columns.Roles)
        {
            var column = inputSchema.FirstOrDefault(column => column.Name == name);
            if (column.Name is null)
                throw Missing(nameof(inputSchema), role, name);
            if (column.Kind != SchemaShape.Column.VectorKind.Scalar || column.IsKey || column.ItemType is not TextDataViewType)
                throw Mismatch(nameof(inputSchema), role, name, TextDataViewType.Instance, Describe(column.Kind, column.ItemType, column.IsKey));
        }
    }

    /// <summary>Checks the text columns of a schema; <c>parameter</c> is the caller's name for it, for the exception.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing, or not scalar text.</exception>
    public static void Check(DataViewSchema inputSchema, RowReaderColumns columns, string parameter = "inputSchema")
    {
        foreach (var (role, name) in columns.Roles)
            Find(inputSchema, parameter, role, name, TextDataViewType.Instance);
    }

    /// <summary>Finds a column of exactly this type; <c>parameter</c> is the caller's name for the schema, for the exception.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such column.</exception>
    public static DataViewSchema.Column Find(DataViewSchema schema, string parameter, string role, string name, DataViewType expected)
    {
        var column = schema.GetColumnOrNull(name) ?? throw Missing(parameter, role, name);
        return column.Type.Equals(expected) ? column : throw Mismatch(parameter, role, name, expected, Describe(column.Type));
    }

    private static ArgumentOutOfRangeException Missing(string parameter, string role, string name) =>
        new(parameter, $"Could not find {role} column '{name}'");

    private static ArgumentOutOfRangeException Mismatch(string parameter, string role, string name, DataViewType expected, string found) =>
        new(parameter, $"Schema mismatch for {role} column '{name}': expected {expected}, got {found}");

    private static string Describe(DataViewType type) => type switch
    {
        VectorDataViewType { IsKnownSize: true } vector => Describe(SchemaShape.Column.VectorKind.Vector, vector.ItemType, vector.ItemType is KeyDataViewType),
        VectorDataViewType vector => Describe(SchemaShape.Column.VectorKind.VariableVector, vector.ItemType, vector.ItemType is KeyDataViewType),
        _ => type.ToString()!,
    };

    private static string Describe(SchemaShape.Column.VectorKind kind, DataViewType itemType, bool isKey)
    {
        string item = isKey && itemType is not KeyDataViewType ? $"Key<{itemType}>" : itemType.ToString()!;
        return kind switch
        {
            SchemaShape.Column.VectorKind.Vector => $"Vector<{item}>",
            SchemaShape.Column.VectorKind.VariableVector => $"VarVector<{item}>",
            _ => item,
        };
    }
}
