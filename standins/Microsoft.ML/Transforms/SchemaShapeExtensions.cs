namespace Microsoft.ML.Data;

internal static class SchemaShapeExtensions
{
    private const int AnySize = 10;

    /// <summary>The shape of what a transformer makes of any view of this shape: it is asked with an example.</summary>
    public static SchemaShape Through(this SchemaShape shape, ITransformer transformer)
    {
        Runtime.Contracts.CheckValue(shape, "inputSchema");
        DataViewSchema.Builder example = new();
        foreach (SchemaShape.Column column in shape)
        {
            PrimitiveDataViewType item = column.IsKey ? new KeyDataViewType(column.ItemType.RawType, AnySize) : (PrimitiveDataViewType)column.ItemType;
            example.AddColumn(column.Name, column.Kind switch
            {
                SchemaShape.Column.VectorKind.Scalar => item,
                SchemaShape.Column.VectorKind.Vector => new VectorDataViewType(item, AnySize),
                _ => new VectorDataViewType(item),
            });
        }
        return SchemaShape.Create(transformer.GetOutputSchema(example.ToSchema()));
    }
}
