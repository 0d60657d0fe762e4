using System.Reflection;
using Microsoft.ML;

namespace MLNetExtension.Tests.MLNet.Schema;

/// <summary>Puts schemas into words, so that they can be compared whole.</summary>
internal static class Schemas
{
    private static readonly MethodInfo Create = typeof(SchemaShape).GetMethod("Create", BindingFlags.Static | BindingFlags.NonPublic)!;

    /// <summary>The shape that ML.NET itself gives a schema.</summary>
    public static SchemaShape Shape(DataViewSchema schema) => (SchemaShape)Create.Invoke(null, [schema])!;

    /// <summary>Every column with its kind, type and annotations, by name.</summary>
    public static string[] Describe(SchemaShape shape) => [.. shape.OrderBy(column => column.Name, StringComparer.Ordinal).Select(Describe)];

    /// <summary>Every column in its order, with type and annotations, and their values.</summary>
    public static string[] Describe(IEnumerable<DataViewSchema.Column> columns) =>
        [.. columns.Select((column, place) => $"{place} {column.Name} {column.Type}{(column.IsHidden ? " hidden" : "")} [{Describe(column.Annotations)}]")];

    private static string Describe(SchemaShape.Column column) =>
        $"{column.Name} {column.Kind} {column.ItemType}{(column.IsKey ? " key" : "")} [{string.Join(", ", Describe(column.Annotations))}]";

    private static string Describe(DataViewSchema.Annotations annotations) => string.Join(", ", annotations.Schema.Select(annotation => annotation.Type.RawType switch
    {
        Type type when type == typeof(uint) => $"{annotation.Name} = {Value<uint>(annotations, annotation)}",
        Type type when type == typeof(ReadOnlyMemory<char>) => $"{annotation.Name} = {Value<ReadOnlyMemory<char>>(annotations, annotation)}",
        _ => $"{annotation.Name}: {annotation.Type}",
    }));

    private static T Value<T>(DataViewSchema.Annotations annotations, DataViewSchema.Column column)
        where T : struct
    {
        T value = default;
        annotations.GetValue(column.Name, ref value);
        return value;
    }
}
