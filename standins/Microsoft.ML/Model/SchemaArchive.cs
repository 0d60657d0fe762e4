using System.Text;
using Microsoft.ML.Data;

namespace Microsoft.ML;

/// <summary>A schema as bytes: names and types. (The genuine package keeps annotations too.)</summary>
internal static class SchemaArchive
{
    public static void Save(DataViewSchema schema, Stream stream)
    {
        using BinaryWriter writer = new(stream, Encoding.UTF8, leaveOpen: true);
        writer.Write(schema.Count);
        foreach (DataViewSchema.Column column in schema)
        {
            VectorDataViewType vector = column.Type as VectorDataViewType;
            PrimitiveDataViewType item = vector?.ItemType ?? (PrimitiveDataViewType)column.Type;
            writer.Write(column.Name);
            writer.Write((byte)ColumnTypes.KindOf(item.RawType));
            writer.Write((item as KeyDataViewType)?.Count ?? 0);
            writer.Write(vector?.Dimensions.Length ?? 0);
            foreach (int size in vector?.Dimensions ?? [])
                writer.Write(size);
        }
    }

    public static DataViewSchema Load(Stream stream)
    {
        using BinaryReader reader = new(stream, Encoding.UTF8, leaveOpen: true);
        DataViewSchema.Builder builder = new();
        for (int columns = reader.ReadInt32(); columns > 0; columns--)
        {
            string name = reader.ReadString();
            PrimitiveDataViewType item = ColumnTypes.PrimitiveFor((DataKind)reader.ReadByte());
            ulong keys = reader.ReadUInt64();
            if (keys > 0)
                item = new KeyDataViewType(item.RawType, keys);
            int[] dimensions = [.. Enumerable.Range(0, reader.ReadInt32()).Select(_ => reader.ReadInt32())];
            builder.AddColumn(name, dimensions.Length == 0 ? item : new VectorDataViewType(item, dimensions));
        }
        return builder.ToSchema();
    }
}
