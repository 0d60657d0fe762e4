using static TorchSharp.torch;

namespace MLNetExtension.Safetensors;

/// <summary>Saves a module's weights as safetensors, under the names of its state dictionary, and loads them.</summary>
/// <remarks>A tensor that a module holds under several names (tied weights) is written once, under the first of them.</remarks>
internal static class ModuleWeights
{
    /// <summary>Writes header and data.</summary>
    /// <param name="module">Its weights may be on any device.</param>
    /// <param name="stream">Written from beginning to end; it need not seek.</param>
    public static void Save(nn.Module module, Stream stream) => SafetensorsWriter.Write(ListDistinct(module), stream);

    /// <summary>Loads the module's weights from a stream, read from beginning to end.</summary>
    /// <param name="module">Its names and shapes must equal those of the stream; its element types and device may differ.</param>
    /// <param name="stream">Positioned at the length prefix.</param>
    /// <param name="length">How many bytes of the stream are safetensors.</param>
    /// <param name="owner">What the module is, for messages.</param>
    /// <exception cref="InvalidDataException">The header is damaged, or describes another module; then the module is unchanged.</exception>
    /// <exception cref="EndOfStreamException">The stream is shorter than <paramref name="length"/>.</exception>
    public static void Load(nn.Module module, Stream stream, long length, string owner = "this model")
    {
        var entries = SafetensorsHeader.Read(stream, length);
        var weights = ListDistinct(module).ToDictionary(pair => pair.Name, pair => pair.Tensor);
        Check(entries, weights, owner);
        foreach (var entry in entries)
            TensorBytes.Read(weights[entry.Name], entry.Type, stream);
    }

    private static void Check(IReadOnlyList<SafetensorsEntry> entries, Dictionary<string, Tensor> weights, string owner)
    {
        var missing = weights.Keys.ToHashSet();
        List<string> differences = [];
        foreach (var entry in entries)
        {
            if (!missing.Remove(entry.Name))
                differences.Add($"'{entry.Name}' is not in {owner}");
            else if (!weights[entry.Name].shape.SequenceEqual(entry.Shape))
                differences.Add($"'{entry.Name}' is {entry.Description}, but [{string.Join(", ", weights[entry.Name].shape)}] in {owner}");
        }
        differences.AddRange(missing.Order(StringComparer.Ordinal).Select(name => $"'{name}' is not among them"));
        if (differences.Count > 0)
            throw new InvalidDataException($"The weights are not those of {owner}: {string.Join("; ", differences.Take(8))}{(differences.Count > 8 ? $"; and {differences.Count - 8} more" : "")}.");
    }

    private static List<(string Name, Tensor Tensor)> ListDistinct(nn.Module module)
    {
        var weights = new List<(string, Tensor)>();
        var seen = new HashSet<Tensor>(ReferenceEqualityComparer.Instance);
        foreach (var (name, tensor) in module.state_dict())
            if (seen.Add(tensor))
                weights.Add((name, tensor));
        return weights;
    }
}
