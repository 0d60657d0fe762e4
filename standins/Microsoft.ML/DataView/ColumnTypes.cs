using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

public enum DataKind : byte
{
    SByte = 1,
    Byte = 2,
    Int16 = 3,
    UInt16 = 4,
    Int32 = 5,
    UInt32 = 6,
    Int64 = 7,
    UInt64 = 8,
    Single = 9,
    Double = 10,
    String = 11,
    Boolean = 12,
    TimeSpan = 13,
    DateTime = 14,
    DateTimeOffset = 15,
}

/// <summary>Which column type a .NET type has.</summary>
internal static class ColumnTypes
{
    private static readonly Dictionary<Type, PrimitiveDataViewType> _byType = new PrimitiveDataViewType[]
    {
        NumberDataViewType.SByte, NumberDataViewType.Byte, NumberDataViewType.Int16, NumberDataViewType.UInt16, NumberDataViewType.Int32,
        NumberDataViewType.UInt32, NumberDataViewType.Int64, NumberDataViewType.UInt64, NumberDataViewType.Single, NumberDataViewType.Double,
        TextDataViewType.Instance, BooleanDataViewType.Instance, RowIdDataViewType.Instance,
    }.ToDictionary(t => t.RawType);

    public static bool Knows(Type type) => _byType.ContainsKey(type);

    public static PrimitiveDataViewType PrimitiveFor(Type type) => _byType.GetValueOrDefault(type == typeof(string) ? typeof(ReadOnlyMemory<char>) : type)
        ?? throw Contracts.Except($"No column type holds {type}");

    public static PrimitiveDataViewType PrimitiveFor(DataKind kind) => _byType.Values.FirstOrDefault(t => KindOf(t.RawType) == kind)
        ?? throw Contracts.Except($"No column type holds {kind}");

    // The row id has none: 0.
    public static DataKind KindOf(Type type) => type == typeof(ReadOnlyMemory<char>) ? DataKind.String
        : Enum.TryParse(type.Name, out DataKind kind) ? kind : default;
}
