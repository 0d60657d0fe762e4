using System.Buffers.Binary;
using static TorchSharp.torch;

namespace MLNetExtension.Checkpoints;

/// <summary>Writes a module's weights as safetensors, under the names of its state dictionary, and reads them back.</summary>
/// <remarks>A tensor that a module holds under several names (tied weights) is written once, under the first of them.</remarks>
internal static class ModuleWeights
{
    private const int PrefixBytes = sizeof(ulong);

    /// <summary>Writes header and data.</summary>
    /// <param name="module">Its weights may be on any device.</param>
    /// <param name="stream">Written front to back; it need not seek.</param>
    public static void Save(nn.Module module, Stream stream)
    {
        var weights = Untied(module);
        var entries = new List<SafetensorsEntry>(weights.Count);
        long at = 0;
        foreach (var (name, tensor) in weights)
        {
            long end = at + tensor.NumberOfElements * SafetensorsTypes.BytesOf(tensor.dtype);
            entries.Add(new SafetensorsEntry(name, tensor.dtype, tensor.shape, at, end));
            at = end;
        }

        byte[] header = SafetensorsHeader.Write(entries);
        Span<byte> prefix = stackalloc byte[PrefixBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, (ulong)header.Length);
        stream.Write(prefix);
        stream.Write(header);
        foreach (var (_, tensor) in weights)
            TensorBytes.Write(tensor, stream);
    }

    /// <summary>Fills the module's weights from a stream read front to back.</summary>
    /// <param name="module">Its names and shapes must be those of the stream; its element types and device may differ.</param>
    /// <param name="stream">Positioned at the length prefix.</param>
    /// <param name="length">How many bytes of the stream are safetensors.</param>
    /// <exception cref="InvalidDataException">The header is damaged, or describes another module; nothing has been changed then.</exception>
    /// <exception cref="EndOfStreamException">The stream is shorter than <paramref name="length"/>.</exception>
    public static void Load(nn.Module module, Stream stream, long length)
    {
        var entries = ReadHeader(stream, length);
        var weights = Untied(module).ToDictionary(pair => pair.Name, pair => pair.Tensor);
        Check(entries, weights);
        foreach (var entry in entries)
            TensorBytes.Read(weights[entry.Name], entry.Type, stream);
    }

    private static IReadOnlyList<SafetensorsEntry> ReadHeader(Stream stream, long length)
    {
        Span<byte> prefix = stackalloc byte[PrefixBytes];
        if (length < PrefixBytes)
            throw new InvalidDataException($"A safetensors stream is at least {PrefixBytes} bytes long, but this one has {length}.");
        stream.ReadExactly(prefix);
        ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        long rest = length - PrefixBytes;
        // Before the header is allocated: a damaged prefix must not ask for terabytes.
        if (headerLength > (ulong)Math.Min(rest, SafetensorsHeader.MaximumBytes))
            throw new InvalidDataException($"The safetensors header claims {headerLength} bytes; {rest} remain and {SafetensorsHeader.MaximumBytes} are allowed.");
        var header = new byte[headerLength];
        stream.ReadExactly(header);
        return SafetensorsHeader.Parse(header, rest - header.Length);
    }

    private static void Check(IReadOnlyList<SafetensorsEntry> entries, Dictionary<string, Tensor> weights)
    {
        var missing = weights.Keys.ToHashSet();
        foreach (var entry in entries)
        {
            if (!missing.Remove(entry.Name))
                throw new InvalidDataException($"The weights hold tensor '{entry.Name}', which this model does not have.");
            long[] shape = weights[entry.Name].shape;
            if (!shape.SequenceEqual(entry.Shape))
                throw new InvalidDataException($"Tensor '{entry.Name}' is {entry.Description}, but this model's has the shape [{string.Join(", ", shape)}].");
        }
        if (missing.Count > 0)
            throw new InvalidDataException($"The weights lack {missing.Count} of this model's tensors, among them '{missing.Min(StringComparer.Ordinal)}'.");
    }

    private static List<(string Name, Tensor Tensor)> Untied(nn.Module module)
    {
        var weights = new List<(string, Tensor)>();
        var seen = new HashSet<Tensor>(ReferenceEqualityComparer.Instance);
        foreach (var (name, tensor) in module.state_dict())
            if (seen.Add(tensor))
                weights.Add((name, tensor));
        return weights;
    }
}
