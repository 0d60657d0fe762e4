using System.Collections.Immutable;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

/// <summary>A <see cref="VBuffer{T}"/> of one item type; size 0 when any dimension is unknown.</summary>
public sealed class VectorDataViewType : StructuredDataViewType
{
    public VectorDataViewType(PrimitiveDataViewType itemType, int size = 0)
        : base(RawTypeOf(itemType))
    {
        Contracts.CheckParam(size >= 0, nameof(size));
        ItemType = itemType;
        Dimensions = [size];
        Size = size;
    }

    public VectorDataViewType(PrimitiveDataViewType itemType, params int[] dimensions)
        : this(itemType, ImmutableArray.Create(dimensions ?? []))
    {
    }

    public VectorDataViewType(PrimitiveDataViewType itemType, ImmutableArray<int> dimensions)
        : base(RawTypeOf(itemType))
    {
        Contracts.CheckParam(dimensions.Length > 0 && dimensions.All(d => d >= 0), nameof(dimensions));
        ItemType = itemType;
        Dimensions = dimensions;
        Size = dimensions.Aggregate(1, (product, d) => checked(product * d));
    }

    public ImmutableArray<int> Dimensions { get; }
    public bool IsKnownSize => Size > 0;
    public PrimitiveDataViewType ItemType { get; }
    public int Size { get; }

    public override bool Equals(DataViewType other) =>
        other is VectorDataViewType vector && ItemType.Equals(vector.ItemType) && Dimensions.SequenceEqual(vector.Dimensions);

    public override bool Equals(object other) => other is DataViewType type && Equals(type);
    public override int GetHashCode() => Dimensions.Aggregate(ItemType.GetHashCode(), HashCode.Combine);

    public override string ToString() => Dimensions.Length == 1
        ? (Size > 0 ? $"Vector<{ItemType}, {Size}>" : $"Vector<{ItemType}>")
        : $"Vector<{ItemType}, {string.Join(", ", Dimensions.Select(d => d > 0 ? d.ToString() : "*"))}>";

    private static Type RawTypeOf(PrimitiveDataViewType itemType)
    {
        Contracts.CheckValue(itemType, nameof(itemType));
        return typeof(VBuffer<>).MakeGenericType(itemType.RawType);
    }
}

/// <summary>One of <see cref="Count"/> categories; the raw value is one-based, 0 means missing.</summary>
public sealed class KeyDataViewType : PrimitiveDataViewType
{
    public KeyDataViewType(Type type, ulong count)
        : base(type)
    {
        if (!IsValidDataType(type))
            throw Contracts.ExceptParam(nameof(type), "Type is not valid, it must be Byte, UInt16, UInt32, or UInt64.");
        if (count == 0 || MaxValue(type) < count)
        {
            throw Contracts.ExceptParam(nameof(count),
                $"The cardinality of a KeyDataViewType must not exceed {type.Name}.MaxValue and must be strictly positive, but got {count}.");
        }
        Count = count;
    }

    public KeyDataViewType(Type type, int count)
        : this(type, (ulong)count)
    {
        Contracts.CheckParam(count > 0, nameof(count), "The cardinality of a KeyDataViewType must be strictly positive.");
    }

    public ulong Count { get; }

    public static bool IsValidDataType(Type type) =>
        type == typeof(byte) || type == typeof(ushort) || type == typeof(uint) || type == typeof(ulong);

    public override bool Equals(DataViewType other) => other is KeyDataViewType key && RawType == key.RawType && Count == key.Count;
    public override bool Equals(object other) => other is DataViewType type && Equals(type);
    public override int GetHashCode() => HashCode.Combine(RawType, Count);
    public override string ToString() => $"Key<{RawType.Name}, 0-{Count - 1}>";

    private static ulong MaxValue(Type type) =>
        type == typeof(byte) ? byte.MaxValue : type == typeof(ushort) ? ushort.MaxValue : type == typeof(uint) ? uint.MaxValue : ulong.MaxValue;
}
