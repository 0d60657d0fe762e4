using MLNetExtension.Files;
using static TorchSharp.torch;

namespace MLNetExtension.Safetensors;

/// <summary>Saves a module's weights as safetensors, under the names of its state dictionary, and loads them.</summary>
/// <remarks>A tensor that a module holds under several names (tied weights) is written once, under the first of them.</remarks>
internal static class ModuleWeights
{
    private const int MaximumDifferences = 8;

    /// <summary>Writes header and data.</summary>
    /// <param name="module">Its weights may be on any device.</param>
    /// <param name="stream">Written from beginning to end; it need not seek.</param>
    /// <param name="metadata">Texts to put beside the tensors, by name. Default: none.</param>
    public static void Save(nn.Module module, Stream stream, IReadOnlyDictionary<string, string>? metadata = null) => SafetensorsWriter.Write(ListDistinct(module), stream, metadata);

    /// <summary>Loads the module's weights from a stream, read from beginning to end.</summary>
    /// <param name="module">Its names and shapes must equal those of the stream; its element types and device may differ.</param>
    /// <param name="stream">Positioned at the length prefix.</param>
    /// <param name="length">How many bytes of the stream are safetensors.</param>
    /// <param name="owner">What the module is, for messages.</param>
    /// <exception cref="InvalidDataException">The header is damaged, or describes another module; then the module is unchanged.</exception>
    /// <exception cref="EndOfStreamException">The stream is shorter than <paramref name="length"/>.</exception>
    public static void Load(nn.Module module, Stream stream, long length, string owner = "this model") => Fill(module, SafetensorsHeader.Read(stream, length), stream, owner);

    /// <summary>Loads the module's weights from a stream whose header has been read.</summary>
    /// <param name="module">Its names and shapes must equal those of the header.</param>
    /// <param name="entries">The header.</param>
    /// <param name="stream">Positioned at the data.</param>
    /// <param name="owner">What the module is, for messages.</param>
    /// <exception cref="InvalidDataException">The header describes another module; then the module is unchanged.</exception>
    /// <exception cref="EndOfStreamException">The stream ends too early.</exception>
    public static void Fill(nn.Module module, IReadOnlyList<SafetensorsEntry> entries, Stream stream, string owner)
    {
        var weights = ListDistinct(module).ToDictionary(pair => pair.Name, pair => pair.Tensor);
        Check(entries, weights.Select(pair => (pair.Key, pair.Value.shape)), owner);
        foreach (var entry in entries)
            TensorBytes.Read(weights[entry.Name], entry.Type, stream);
    }

    /// <summary>Compares a header with the weights that it should describe.</summary>
    /// <param name="entries">The header.</param>
    /// <param name="expected">Names and shapes, of which no more are taken than there are entries and a few.</param>
    /// <param name="owner">Whose weights they are, for messages.</param>
    /// <exception cref="InvalidDataException">They differ; the message lists the first differences.</exception>
    public static void Check(IEnumerable<SafetensorsEntry> entries, IEnumerable<(string Name, long[] Shape)> expected, string owner)
    {
        Dictionary<string, SafetensorsEntry> rest = entries.ToDictionary(entry => entry.Name);
        List<string> differences = [];
        foreach ((string name, long[] shape) in expected)
        {
            if (!rest.Remove(name, out SafetensorsEntry? entry))
                differences.Add($"'{name}' is not among them");
            else if (!shape.SequenceEqual(entry.Shape))
                differences.Add($"'{name}' is {entry.Description}, but [{string.Join(", ", shape)}] in {owner}");
            // A description may claim any number of weights; what is left of the entries is no difference then.
            if (differences.Count > MaximumDifferences)
                throw Different(differences, owner);
        }
        differences.InsertRange(0, rest.Keys.Order(StringComparer.Ordinal).Select(name => $"'{Excerpt.Of(name)}' is not in {owner}"));
        if (differences.Count > 0)
            throw Different(differences, owner);
    }

    private static InvalidDataException Different(List<string> differences, string owner) =>
        new($"The weights are not those of {owner}: {string.Join("; ", differences.Take(MaximumDifferences))}{(differences.Count > MaximumDifferences ? "; and more" : "")}.");

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
