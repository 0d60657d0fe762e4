using System.Globalization;
using System.Reflection;
using System.Text;
using Microsoft.ML.Data;

namespace Microsoft.ML;

/// <summary>A schema as bytes: names, types, and annotations of types that have a text form.</summary>
internal static class SchemaArchive
{
    // Types that are not a text loader's either, beside the row's id: written as kind 0.
    private static readonly DataKind[] _kinds = Enum.GetValues<DataKind>();

    public static void Save(DataViewSchema schema, Stream stream)
    {
        using BinaryWriter writer = new(stream, Encoding.UTF8, leaveOpen: true);
        writer.Write(schema.Count);
        foreach (DataViewSchema.Column column in schema)
        {
            writer.Write(column.Name);
            WriteType(writer, column.Type);
            writer.Write(column.Annotations.Schema.Count);
            foreach (DataViewSchema.Column annotation in column.Annotations.Schema)
            {
                writer.Write(annotation.Name);
                WriteType(writer, annotation.Type);
                string[] values = Call<string[]>(nameof(ReadValues), annotation.Type, column.Annotations, annotation);
                writer.Write(values.Length);
                Array.ForEach(values, writer.Write);
            }
        }
    }

    public static DataViewSchema Load(Stream stream)
    {
        using BinaryReader reader = new(stream, Encoding.UTF8, leaveOpen: true);
        DataViewSchema.Builder builder = new();
        for (int columns = reader.ReadInt32(); columns > 0; columns--)
        {
            string name = reader.ReadString();
            DataViewType type = ReadType(reader);
            DataViewSchema.Annotations.Builder annotations = new();
            for (int count = reader.ReadInt32(); count > 0; count--)
            {
                string kind = reader.ReadString();
                DataViewType annotationType = ReadType(reader);
                string[] values = [.. Enumerable.Range(0, reader.ReadInt32()).Select(_ => reader.ReadString())];
                annotations.Add(kind, annotationType, Call<Delegate>(nameof(MakeGetter), annotationType, values, annotationType is VectorDataViewType));
            }
            builder.AddColumn(name, type, annotations.ToAnnotations());
        }
        return builder.ToSchema();
    }

    private static void WriteType(BinaryWriter writer, DataViewType type)
    {
        VectorDataViewType vector = type as VectorDataViewType;
        DataViewType item = vector?.ItemType ?? type;
        writer.Write((byte)_kinds.FirstOrDefault(k => ColumnTypes.Knows(k) && ColumnTypes.PrimitiveFor(k).RawType == item.RawType));
        writer.Write((item as KeyDataViewType)?.Count ?? 0);
        writer.Write(vector?.Dimensions.Length ?? 0);
        foreach (int size in vector?.Dimensions ?? [])
            writer.Write(size);
    }

    private static DataViewType ReadType(BinaryReader reader)
    {
        DataKind kind = (DataKind)reader.ReadByte();
        PrimitiveDataViewType item = kind == 0 ? RowIdDataViewType.Instance : ColumnTypes.PrimitiveFor(kind);
        ulong keys = reader.ReadUInt64();
        if (keys > 0)
            item = new KeyDataViewType(item.RawType, keys);
        int[] dimensions = [.. Enumerable.Range(0, reader.ReadInt32()).Select(_ => reader.ReadInt32())];
        return dimensions.Length == 0 ? item : new VectorDataViewType(item, dimensions);
    }

    private static TResult Call<TResult>(string method, DataViewType type, params object[] args) =>
        (TResult)typeof(SchemaArchive).GetMethod(method, BindingFlags.NonPublic | BindingFlags.Static)
            .MakeGenericMethod((type as VectorDataViewType)?.ItemType.RawType ?? type.RawType).Invoke(null, args);

    private static string[] ReadValues<T>(DataViewSchema.Annotations annotations, DataViewSchema.Column annotation)
    {
        T value = default;
        VBuffer<T> values = default;
        if (annotation.Type is VectorDataViewType)
            annotations.GetValue(annotation.Name, ref values);
        else
            annotations.GetValue(annotation.Name, ref value);
        IEnumerable<T> all = annotation.Type is VectorDataViewType ? values.DenseValues() : [value];
        return [.. all.Select(v => v is IFormattable number ? number.ToString(null, CultureInfo.InvariantCulture) : v.ToString())];
    }

    private static Delegate MakeGetter<T>(string[] texts, bool isVector)
    {
        T[] values = [.. texts.Select(t => (T)(typeof(T) == typeof(ReadOnlyMemory<char>) ? t.AsMemory() : Convert.ChangeType(t, typeof(T), CultureInfo.InvariantCulture)))];
        VBuffer<T> vector = new(values.Length, values);
        return isVector ? (ValueGetter<VBuffer<T>>)((ref dst) => vector.CopyTo(ref dst)) : (ValueGetter<T>)((ref dst) => dst = values[0]);
    }
}
