using static TorchSharp.torch;

namespace MLNetExtension.Safetensors;

/// <summary>A tensor's entry in the header of a safetensors stream.</summary>
/// <param name="Name">The tensor's name.</param>
/// <param name="Type">The type of its elements.</param>
/// <param name="Shape">Its dimensions; empty for a scalar.</param>
/// <param name="Begin">Offset of its first byte after the header, in bytes.</param>
/// <param name="End">Offset of the byte after its last, in bytes.</param>
internal sealed record SafetensorsEntry(string Name, ScalarType Type, long[] Shape, long Begin, long End)
{
    /// <summary>Type and shape, for messages.</summary>
    public string Description => $"{SafetensorsTypes.NameOf(Type)} [{string.Join(", ", Shape)}]";
}

/// <summary>The supported element types, with their names in the format and their sizes.</summary>
internal static class SafetensorsTypes
{
    private static readonly Dictionary<string, (ScalarType Type, int Bytes)> Known = new()
    {
        ["F64"] = (ScalarType.Float64, 8),
        ["F32"] = (ScalarType.Float32, 4),
        ["F16"] = (ScalarType.Float16, 2),
        ["BF16"] = (ScalarType.BFloat16, 2),
        ["I64"] = (ScalarType.Int64, 8),
        ["I32"] = (ScalarType.Int32, 4),
        ["I8"] = (ScalarType.Int8, 1),
        ["U8"] = (ScalarType.Byte, 1),
        ["BOOL"] = (ScalarType.Bool, 1),
    };

    /// <summary>The names, for messages.</summary>
    public static string Names => string.Join(", ", Known.Keys);

    /// <summary>Finds the type of a name, and its size in bytes.</summary>
    public static bool TryGet(string name, out ScalarType type, out int bytes)
    {
        bool known = Known.TryGetValue(name, out var found);
        (type, bytes) = found;
        return known;
    }

    /// <summary>Returns a type's name.</summary>
    /// <exception cref="NotSupportedException">The type is not supported.</exception>
    public static string NameOf(ScalarType type)
    {
        foreach (var (name, known) in Known)
            if (known.Type == type)
                return name;
        throw new NotSupportedException($"A tensor of type {type} cannot be written as safetensors; the types that can: {Names}.");
    }

    /// <summary>Returns the size of an element in bytes.</summary>
    public static int BytesOf(ScalarType type) => Known[NameOf(type)].Bytes;
}
