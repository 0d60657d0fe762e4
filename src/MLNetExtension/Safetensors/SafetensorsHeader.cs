using System.Buffers.Binary;
using System.Text.Json;
using MLNetExtension.Files;

namespace MLNetExtension.Safetensors;

/// <summary>Reads and checks the JSON header of a safetensors stream: every name, type, shape and offset, before any of it is used.</summary>
/// <remarks>The rules are those of the format's reference reader (https://github.com/huggingface/safetensors, "Format"): the tensors' bytes
/// follow one another without a hole or an overlap and end where the stream ends.</remarks>
internal static class SafetensorsHeader
{
    /// <summary>The longest header the format allows, in bytes.</summary>
    public const int MaximumBytes = 100_000_000;

    /// <summary>How many bytes before the header give its length.</summary>
    public const int PrefixBytes = sizeof(ulong);

    /// <summary>The most tensors that a header may describe. The largest published models have some hundred thousand, in more than a hundred files.</summary>
    public const int MaximumTensors = 100_000;

    /// <summary>The entry that describes no tensor.</summary>
    public const string MetadataName = "__metadata__";

    // What torch can hold.
    private const int MaximumDimensions = 64;

    /// <summary>Reads the header from the start of a stream and leaves it where the data begins.</summary>
    /// <param name="stream">Positioned at the length prefix.</param>
    /// <param name="length">How many bytes of the stream are safetensors.</param>
    /// <returns>The tensors in the order of their bytes.</returns>
    /// <exception cref="InvalidDataException">The header breaks a rule.</exception>
    /// <exception cref="EndOfStreamException">The stream is shorter than <paramref name="length"/>.</exception>
    public static IReadOnlyList<SafetensorsEntry> Read(Stream stream, long length) => Read(stream, length, out _);

    /// <inheritdoc cref="Read(Stream, long)"/>
    /// <param name="stream">Positioned at the length prefix.</param>
    /// <param name="length">How many bytes of the stream are safetensors.</param>
    /// <param name="metadata">The texts that the writer put beside the tensors, by name.</param>
    public static IReadOnlyList<SafetensorsEntry> Read(Stream stream, long length, out IReadOnlyDictionary<string, string> metadata)
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
        return Parse(header, rest - header.Length, out metadata);
    }

    /// <summary>Parses the tensors, in the order of their bytes.</summary>
    /// <param name="json">The header's UTF-8 text.</param>
    /// <param name="dataLength">How many bytes follow the header.</param>
    /// <exception cref="InvalidDataException">The header breaks a rule; the message names the tensor.</exception>
    public static IReadOnlyList<SafetensorsEntry> Parse(ReadOnlyMemory<byte> json, long dataLength) => Parse(json, dataLength, out _);

    private static List<SafetensorsEntry> Parse(ReadOnlyMemory<byte> json, long dataLength, out IReadOnlyDictionary<string, string> metadata)
    {
        (List<SafetensorsEntry> entries, metadata) = JsonFile.Read(json, "The safetensors header", root => (ParseEntries(root), ParseMetadata(root)), MaximumTensors + 1);
        entries.Sort((a, b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin) : a.End.CompareTo(b.End));
        CheckOffsets(entries, dataLength);
        return entries;
    }

    private static List<SafetensorsEntry> ParseEntries(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
            throw new InvalidDataException("The safetensors header is not a JSON object.");
        List<SafetensorsEntry> entries = [];
        foreach (JsonProperty property in root.EnumerateObject())
        {
            if (property.Name != MetadataName)
                entries.Add(ParseEntry(property.Name, property.Value));
        }
        return entries;
    }

    private static Dictionary<string, string> ParseMetadata(JsonElement root)
    {
        Dictionary<string, string> metadata = [];
        if (root.TryGetProperty(MetadataName, out JsonElement element) && element.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty property in element.EnumerateObject().Where(property => property.Value.ValueKind == JsonValueKind.String))
                metadata.Add(property.Name, property.Value.GetString()!);
        }
        return metadata;
    }

    private static SafetensorsEntry ParseEntry(string name, JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.Object)
            throw Bad(name, "is not described by a JSON object");
        if (!element.TryGetProperty("dtype", out var dtype) || dtype.ValueKind != JsonValueKind.String)
            throw Bad(name, "has no dtype");
        if (!SafetensorsTypes.TryGet(dtype.GetString()!, out var type, out int elementBytes))
            throw Bad(name, $"has dtype '{Excerpt.Of(dtype.GetString()!)}', which is not one of {SafetensorsTypes.Names}");
        long[] shape = ParseNumbers(name, element, "shape");
        long[] offsets = ParseNumbers(name, element, "data_offsets");
        if (offsets.Length != 2 || offsets[0] > offsets[1])
            throw Bad(name, $"has data_offsets {Excerpt.Of($"[{string.Join(", ", offsets)}]")}, expected a begin and an end not before it");
        if (shape.Length > MaximumDimensions)
            throw Bad(name, $"has {shape.Length} dimensions, expected at most {MaximumDimensions}");
        if (CountBytes(shape, elementBytes) is not long bytes)
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

    private static long[] ParseNumbers(string name, JsonElement element, string property)
    {
        if (!element.TryGetProperty(property, out var array) || array.ValueKind != JsonValueKind.Array)
            throw Bad(name, $"has no {property}");
        var numbers = new long[array.GetArrayLength()];
        for (int i = 0; i < numbers.Length; i++)
            if (array[i].ValueKind != JsonValueKind.Number || !array[i].TryGetInt64(out numbers[i]) || numbers[i] < 0)
                throw Bad(name, $"has {Excerpt.Of(array[i].GetRawText())} in its {property}, expected a whole number that is not negative");
        return numbers;
    }

    private static long? CountBytes(long[] shape, int elementBytes)
    {
        // In 128 bits, and stopped once larger than any stream, so that no overflow makes a huge shape look small.
        Int128 bytes = elementBytes;
        foreach (long dimension in shape)
            if ((bytes *= dimension) > long.MaxValue)
                return null;
        return (long)bytes;
    }

    private static InvalidDataException Bad(string name, string what) => new($"Tensor '{Excerpt.Of(name, 200)}' {what}.");
}
