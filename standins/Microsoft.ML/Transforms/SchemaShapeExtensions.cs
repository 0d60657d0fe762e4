using System.Reflection;

namespace Microsoft.ML.Data;

internal static class SchemaShapeExtensions
{
    private const int AnySize = 10;

    private static readonly MethodInfo _noValue = typeof(SchemaShapeExtensions).GetMethod(nameof(NoValue), BindingFlags.Static | BindingFlags.NonPublic);

    /// <summary>The shape of what a transformer makes of any view of this shape: it is asked with an example.</summary>
    public static SchemaShape Through(this SchemaShape shape, ITransformer transformer)
    {
        Runtime.Contracts.CheckValue(shape, "inputSchema");
        DataViewSchema.Builder example = new();
        foreach (SchemaShape.Column column in shape)
            example.AddColumn(column.Name, ExampleType(column), ExampleAnnotations(column.Annotations));
        return SchemaShape.Create(transformer.GetOutputSchema(example.ToSchema()));
    }

    private static DataViewType ExampleType(SchemaShape.Column column)
    {
        PrimitiveDataViewType item = column.IsKey ? new KeyDataViewType(column.ItemType.RawType, AnySize) : (PrimitiveDataViewType)column.ItemType;
        return column.Kind switch
        {
            SchemaShape.Column.VectorKind.Scalar => item,
            SchemaShape.Column.VectorKind.Vector => new VectorDataViewType(item, AnySize),
            _ => new VectorDataViewType(item),
        };
    }

    private static DataViewSchema.Annotations ExampleAnnotations(SchemaShape shape)
    {
        DataViewSchema.Annotations.Builder example = new();
        foreach (SchemaShape.Column column in shape)
        {
            DataViewType type = ExampleType(column);
            example.Add(column.Name, type, (Delegate)_noValue.MakeGenericMethod(type.RawType).Invoke(null, null));
        }
        return example.ToAnnotations();
    }

    private static ValueGetter<T> NoValue<T>() => (ref T value) => value = default;
}
