using System.Buffers.Binary;
using System.Text.Json;
using static TorchSharp.torch;

namespace MLNetExtension.Safetensors;

/// <summary>Writes tensors in the safetensors format.</summary>
internal static class SafetensorsWriter
{
    /// <summary>Writes header and data.</summary>
    /// <param name="tensors">Names and tensors, of any strides, on any device, in the order of the file.</param>
    /// <param name="stream">It need not seek.</param>
    /// <param name="metadata">Texts to put beside the tensors, by name. Default: none.</param>
    public static void Write(IReadOnlyList<(string Name, Tensor Tensor)> tensors, Stream stream, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var entries = new List<SafetensorsEntry>(tensors.Count);
        long at = 0;
        foreach (var (name, tensor) in tensors)
        {
            long end = at + tensor.NumberOfElements * SafetensorsTypes.BytesOf(tensor.dtype);
            entries.Add(new SafetensorsEntry(name, tensor.dtype, tensor.shape, at, end));
            at = end;
        }

        byte[] header = WriteHeader(entries, metadata);
        Span<byte> prefix = stackalloc byte[SafetensorsHeader.PrefixBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, (ulong)header.Length);
        stream.Write(prefix);
        stream.Write(header);
        foreach (var (_, tensor) in tensors)
            TensorBytes.Write(tensor, stream);
    }

    /// <summary>Makes the header's text.</summary>
    /// <param name="entries">The tensors in the order of their bytes.</param>
    /// <param name="metadata">Texts to put beside the tensors, by name. Default: none.</param>
    /// <returns>UTF-8, a multiple of eight bytes long.</returns>
    public static byte[] WriteHeader(IEnumerable<SafetensorsEntry> entries, IReadOnlyDictionary<string, string>? metadata = null)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter writer = new(stream))
        {
            writer.WriteStartObject();
            writer.WriteStartObject(SafetensorsHeader.MetadataName);
            writer.WriteString("format", "pt");
            foreach ((string name, string text) in metadata ?? new Dictionary<string, string>())
                writer.WriteString(name, text);
            writer.WriteEndObject();
            foreach (SafetensorsEntry entry in entries)
            {
                writer.WriteStartObject(entry.Name);
                writer.WriteString("dtype", SafetensorsTypes.NameOf(entry.Type));
                WriteNumbers(writer, "shape", entry.Shape);
                WriteNumbers(writer, "data_offsets", [entry.Begin, entry.End]);
                writer.WriteEndObject();
            }
            writer.WriteEndObject();
        }
        // Spaces up to a multiple of eight, so that the data that follows is aligned for memory mapping.
        while (stream.Length % 8 != 0)
            stream.WriteByte((byte)' ');
        return stream.ToArray();
    }

    private static void WriteNumbers(Utf8JsonWriter writer, string property, long[] numbers)
    {
        writer.WriteStartArray(property);
        foreach (long number in numbers)
            writer.WriteNumberValue(number);
        writer.WriteEndArray();
    }
}
