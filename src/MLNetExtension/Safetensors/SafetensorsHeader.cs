using System.Buffers.Binary;
using System.Text.Json;

namespace MLNetExtension.Safetensors;

/// <summary>Reads and checks the JSON header of a safetensors stream: every name, type, shape and offset, before any of it is used.</summary>
/// <remarks>The rules are those of the format's own reader (https://github.com/huggingface/safetensors, "Format"): the tensors' bytes
/// follow one another without a hole or an overlap and end where the stream ends.</remarks>
internal static class SafetensorsHeader
{
    /// <summary>The longest header the format allows, in bytes.</summary>
    public const int MaximumBytes = 100_000_000;

    /// <summary>How many bytes before the header give its length.</summary>
    public const int PrefixBytes = sizeof(ulong);

    private const string MetadataName = "__metadata__";

    /// <summary>Reads the header from the start of a stream and leaves it where the data begins.</summary>
    /// <param name="stream">Positioned at the length prefix.</param>
    /// <param name="length">How many bytes of the stream are safetensors.</param>
    /// <returns>The tensors in the order of their bytes.</returns>
    /// <exception cref="InvalidDataException">The header breaks a rule.</exception>
    /// <exception cref="EndOfStreamException">The stream is shorter than <paramref name="length"/>.</exception>
    public static IReadOnlyList<SafetensorsEntry> Read(Stream stream, long length)
    {
        Span<byte> prefix = stackalloc byte[PrefixBytes];
        if (length < PrefixBytes)
            throw new InvalidDataException($"A safetensors stream is at least {PrefixBytes} bytes long, but this one has {length}.");
        stream.ReadExactly(prefix);
        ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        long rest = length - PrefixBytes;
        // Before the header is allocated: a damaged prefix must not ask for terabytes.
        if (headerLength > (ulong)Math.Min(rest, MaximumBytes))
            throw new InvalidDataException($"The safetensors header claims {headerLength} bytes; {rest} remain and {MaximumBytes} are allowed.");
        var header = new byte[headerLength];
        stream.ReadExactly(header);
        return Parse(header, rest - header.Length);
    }

    /// <summary>Gives the tensors in the order of their bytes.</summary>
    /// <param name="json">The header's UTF-8 text.</param>
    /// <param name="dataLength">How many bytes follow the header.</param>
    /// <exception cref="InvalidDataException">The header breaks a rule; the message names the tensor.</exception>
    public static IReadOnlyList<SafetensorsEntry> Parse(ReadOnlyMemory<byte> json, long dataLength)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new InvalidDataException("The safetensors header is not a JSON object.");
            var entries = new List<SafetensorsEntry>();
            var names = new HashSet<string>();
            foreach (var property in document.RootElement.EnumerateObject())
            {
                if (!names.Add(property.Name))
                    throw new InvalidDataException($"The safetensors header names tensor '{property.Name}' twice.");
                if (property.Name != MetadataName)
                    entries.Add(ParseEntry(property.Name, property.Value));
            }
            entries.Sort((a, b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin) : a.End.CompareTo(b.End));
            CheckOffsets(entries, dataLength);
            return entries;
        }
        // The parser takes names that are no Unicode and complains when they are asked for.
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"The safetensors header is not valid JSON: {exception.Message}", exception);
        }
    }

    /// <summary>Writes the header's text for tensors laid out in the order given.</summary>
    public static byte[] Write(IEnumerable<SafetensorsEntry> entries)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteStartObject(MetadataName);
            writer.WriteString("format", "pt");
            writer.WriteEndObject();
            foreach (var entry in entries)
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

    private static SafetensorsEntry ParseEntry(string name, JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.Object)
            throw Bad(name, "is not described by a JSON object");
        if (!element.TryGetProperty("dtype", out var dtype) || dtype.ValueKind != JsonValueKind.String)
            throw Bad(name, "has no dtype");
        if (!SafetensorsTypes.TryGet(dtype.GetString()!, out var type, out int elementBytes))
            throw Bad(name, $"has dtype '{dtype}', which is not one of {SafetensorsTypes.Names}");
        long[] shape = Numbers(name, element, "shape");
        long[] offsets = Numbers(name, element, "data_offsets");
        if (offsets.Length != 2 || offsets[0] > offsets[1])
            throw Bad(name, $"has data_offsets [{string.Join(", ", offsets)}], expected a begin and an end not before it");
        if (BytesOf(shape, elementBytes) is not long bytes)
            throw Bad(name, $"has shape [{string.Join(", ", shape)}], which is larger than any stream");
        if (bytes != offsets[1] - offsets[0])
            throw Bad(name, $"has shape [{string.Join(", ", shape)}] and dtype {dtype}, so {bytes} bytes, but its offsets span {offsets[1] - offsets[0]}");
        return new SafetensorsEntry(name, type, shape, offsets[0], offsets[1]);
    }

    private static void CheckOffsets(List<SafetensorsEntry> entries, long dataLength)
    {
        long expected = 0;
        foreach (var entry in entries)
        {
            if (entry.Begin != expected)
                throw Bad(entry.Name, $"begins at byte {entry.Begin} of the data, expected {expected}: the tensors before it "
                    + (entry.Begin < expected ? "overlap it" : "leave a hole"));
            expected = entry.End;
        }
        if (expected != dataLength)
            throw new InvalidDataException($"The safetensors header describes {expected} bytes of data, but the stream holds {dataLength}.");
    }

    private static long[] Numbers(string name, JsonElement element, string property)
    {
        if (!element.TryGetProperty(property, out var array) || array.ValueKind != JsonValueKind.Array)
            throw Bad(name, $"has no {property}");
        var numbers = new long[array.GetArrayLength()];
        for (int i = 0; i < numbers.Length; i++)
            if (array[i].ValueKind != JsonValueKind.Number || !array[i].TryGetInt64(out numbers[i]) || numbers[i] < 0)
                throw Bad(name, $"has {array[i]} in its {property}, expected a whole number that is not negative");
        return numbers;
    }

    private static long? BytesOf(long[] shape, int elementBytes)
    {
        // Multiplied wide, and stopped once past any stream, so that no overflow hides a huge dimension behind a small product.
        Int128 bytes = elementBytes;
        foreach (long dimension in shape)
            if ((bytes *= dimension) > long.MaxValue)
                return null;
        return (long)bytes;
    }

    private static void WriteNumbers(Utf8JsonWriter writer, string property, long[] numbers)
    {
        writer.WriteStartArray(property);
        foreach (long number in numbers)
            writer.WriteNumberValue(number);
        writer.WriteEndArray();
    }

    private static InvalidDataException Bad(string name, string what) => new($"Tensor '{name}' {what}.");
}
