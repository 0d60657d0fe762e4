using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

internal static class SchemaShapeExtensions
{
    public static SchemaShape.Column Find(this SchemaShape shape, IExceptionContext ctx, string name) =>
        shape.TryFindColumn(name, out SchemaShape.Column column) ? column : throw ctx.ExceptSchemaMismatch("inputSchema", "input", name);

    /// <summary>The shape with columns added, each in the place of the one whose name it has.</summary>
    public static SchemaShape With(this SchemaShape shape, IEnumerable<SchemaShape.Column> added)
    {
        Dictionary<string, SchemaShape.Column> columns = shape.ToDictionary(column => column.Name);
        foreach (SchemaShape.Column column in added)
            columns[column.Name] = column;
        return new SchemaShape(columns.Values);
    }
}
