using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.Data;

namespace MLNetExtension.MLNet.Schema;

/// <summary>Checks that columns are there and of the right type, with ML.NET's exceptions and in its words.</summary>
internal static class InputSchema
{
    private const string OrderRole = "order", AnyNumber = "a number";

    /// <summary>Checks the columns of a schema shape that rows are read from.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing, or of another type.</exception>
    public static void Check(SchemaShape inputSchema, InputColumns columns)
    {
        foreach (var (role, name, type) in columns.All)
        {
            var column = inputSchema.FirstOrDefault(column => column.Name == name);
            if (column.Name is null)
                throw Missing(nameof(inputSchema), role, name);
            bool isVector = column.Kind != SchemaShape.Column.VectorKind.Scalar;
            if (column.IsKey || isVector != type is VectorDataViewType || !column.ItemType.Equals(ItemType(type)))
                throw Mismatch(nameof(inputSchema), role, name, Expectation(type), Describe(column.Kind, column.ItemType, column.IsKey));
        }
        foreach (var (role, name) in columns.Numbers)
            CheckNumber(inputSchema, role, name);
    }

    /// <summary>Checks the columns of a schema that rows are read from; <c>parameter</c> is the caller's name for it, for the exception.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing, or of another type.</exception>
    public static void Check(DataViewSchema inputSchema, InputColumns columns, string parameter = "inputSchema")
    {
        foreach (var (role, name, type) in columns.All)
            Find(inputSchema, parameter, role, name, type);
        foreach (var (role, name) in columns.Numbers)
            CheckNumber(inputSchema, parameter, role, name);
    }

    /// <summary>Checks the column of numbers that the order of rows follows, where it follows one.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing, or holds no numbers.</exception>
    public static void CheckOrder(SchemaShape inputSchema, RowOrder order)
    {
        if (order.Column is { } name)
            CheckNumber(inputSchema, OrderRole, name);
    }

    /// <inheritdoc cref="CheckOrder(SchemaShape, RowOrder)"/>
    public static void CheckOrder(DataViewSchema inputSchema, RowOrder order)
    {
        if (order.Column is { } name)
            CheckNumber(inputSchema, nameof(inputSchema), OrderRole, name);
    }

    /// <summary>Finds a column of this type, where a vector may have any size; <c>parameter</c> is the caller's name for the schema, for the exception.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such column.</exception>
    public static DataViewSchema.Column Find(DataViewSchema schema, string parameter, string role, string name, DataViewType expected)
    {
        var column = schema.GetColumnOrNull(name) ?? throw Missing(parameter, role, name);
        return Accepts(expected, column.Type) ? column : throw Mismatch(parameter, role, name, Expectation(expected), Describe(column.Type));
    }

    /// <summary>Finds a column of numbers or of keys, which give an index; <c>parameter</c> is the caller's name for the schema, for the exception.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such column.</exception>
    public static DataViewSchema.Column FindIndex(DataViewSchema schema, string parameter, string role, string name)
    {
        var column = schema.GetColumnOrNull(name) ?? throw Missing(parameter, role, name);
        return column.Type is NumberDataViewType or KeyDataViewType ? column
            : throw Mismatch(parameter, role, name, "a number or a key", Describe(column.Type));
    }

    private static void CheckNumber(SchemaShape inputSchema, string role, string name)
    {
        var column = inputSchema.FirstOrDefault(column => column.Name == name);
        if (column.Name is null)
            throw Missing(nameof(inputSchema), role, name);
        if (column.Kind != SchemaShape.Column.VectorKind.Scalar || column.IsKey || column.ItemType is not NumberDataViewType)
            throw Mismatch(nameof(inputSchema), role, name, AnyNumber, Describe(column.Kind, column.ItemType, column.IsKey));
    }

    private static void CheckNumber(DataViewSchema inputSchema, string parameter, string role, string name)
    {
        DataViewType type = (inputSchema.GetColumnOrNull(name) ?? throw Missing(parameter, role, name)).Type;
        if (type is not NumberDataViewType)
            throw Mismatch(parameter, role, name, AnyNumber, Describe(type));
    }

    private static bool Accepts(DataViewType expected, DataViewType found) =>
        found.Equals(expected) || (expected is VectorDataViewType && found is VectorDataViewType vector && vector.ItemType.Equals(ItemType(expected)));

    private static DataViewType ItemType(DataViewType type) => type is VectorDataViewType vector ? vector.ItemType : type;

    private static ArgumentOutOfRangeException Missing(string parameter, string role, string name) =>
        new(parameter, $"Could not find {role} column '{name}'");

    private static ArgumentOutOfRangeException Mismatch(string parameter, string role, string name, string expected, string found) =>
        new(parameter, $"Schema mismatch for {role} column '{name}': expected {expected}, got {found}");

    private static string Expectation(DataViewType type) =>
        type is VectorDataViewType vector ? $"Vector<{vector.ItemType}> or VarVector<{vector.ItemType}>" : type.ToString()!;

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
