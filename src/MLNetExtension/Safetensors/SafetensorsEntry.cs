using static TorchSharp.torch;

namespace MLNetExtension.Safetensors;

/// <summary>One tensor of a safetensors stream, as its header describes it.</summary>
/// <param name="Name">The tensor's name.</param>
/// <param name="Type">The type of its elements.</param>
/// <param name="Shape">Its dimensions; empty for a scalar.</param>
/// <param name="Begin">Where its bytes begin, in bytes after the header.</param>
/// <param name="End">Where its bytes end, exclusive, in bytes after the header.</param>
internal sealed record SafetensorsEntry(string Name, ScalarType Type, long[] Shape, long Begin, long End)
{
    public string Description => $"{SafetensorsTypes.NameOf(Type)} [{string.Join(", ", Shape)}]";
}

/// <summary>The element types that are read and written, under the names the format gives them.</summary>
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
        ["U8"] = (ScalarType.Byte, 1),
        ["BOOL"] = (ScalarType.Bool, 1),
    };

    public static string Names => string.Join(", ", Known.Keys);

    public static bool TryGet(string name, out ScalarType type, out int bytes)
    {
        bool known = Known.TryGetValue(name, out var found);
        (type, bytes) = found;
        return known;
    }

    public static string NameOf(ScalarType type)
    {
        foreach (var (name, known) in Known)
            if (known.Type == type)
                return name;
        throw new NotSupportedException($"A tensor of type {type} cannot be written as safetensors; the types that can: {Names}.");
    }

    public static int BytesOf(ScalarType type) => Known[NameOf(type)].Bytes;
}
