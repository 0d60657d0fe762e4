using System.Text.Json;
using MLNetExtension.Files;

namespace MLNetExtension.Safetensors;

/// <summary>Opens the weights in a folder: one safetensors file, or several listed by an index.</summary>
internal static class SafetensorsFolder
{
    public const string SingleName = "model.safetensors";
    public const string IndexName = "model.safetensors.index.json";

    private static readonly string[] PickleExtensions = [".bin", ".pt", ".pth", ".ckpt", ".pkl"];

    /// <summary>Reads and checks the headers of all files.</summary>
    /// <param name="folder">The folder.</param>
    /// <exception cref="FileNotFoundException">There are no weights.</exception>
    /// <exception cref="NotSupportedException">There are only pickle files.</exception>
    /// <exception cref="InvalidDataException">The index or a header breaks a rule.</exception>
    public static IReadOnlyList<SafetensorsFile> Open(string folder)
    {
        string single = Path.Combine(folder, SingleName), index = Path.Combine(folder, IndexName);
        if (File.Exists(single))
            return [SafetensorsFile.Open(single)];
        if (File.Exists(index))
            return OpenIndexed(folder, index);
        if (Directory.EnumerateFiles(folder).Where(IsPickle).Min(StringComparer.Ordinal) is { } pickle)
            RefusePickle(pickle);
        throw new FileNotFoundException($"The folder {folder} holds neither {SingleName} nor {IndexName}.", single);
    }

    /// <summary>Refuses the path of a pickle file.</summary>
    /// <param name="path">Any path.</param>
    /// <param name="expected">What should be there instead.</param>
    /// <exception cref="NotSupportedException">The path is that of a pickle file.</exception>
    public static void RefusePickle(string path, string expected = SingleName)
    {
        if (IsPickle(path))
            throw new NotSupportedException($"{path} is a pickle file, which can run any program when it is read, so it is not. Expected {expected}; "
                + "the safetensors package of Python and Hugging Face's save_pretrained write one.");
    }

    /// <summary>Whether a file of this name holds weights or is their index.</summary>
    public static bool IsWeightsFile(string name) => name.EndsWith(".safetensors", StringComparison.Ordinal) || name == IndexName;

    private static bool IsPickle(string path) => PickleExtensions.Contains(Path.GetExtension(path).ToLowerInvariant());

    private static SafetensorsFile[] OpenIndexed(string folder, string index)
    {
        Dictionary<string, string> fileOf = JsonFile.Read(index, root => ReadIndex(index, root));
        IEnumerable<string> names = fileOf.Values.Distinct().Order(StringComparer.Ordinal);
        SafetensorsFile[] files = [.. names.Select(name => SafetensorsFile.Open(Path.Combine(folder, name)))];
        foreach (SafetensorsFile file in files)
        {
            string name = Path.GetFileName(file.Path);
            foreach (SafetensorsEntry entry in file.Entries)
            {
                if (!fileOf.TryGetValue(entry.Name, out string? listed) || listed != name)
                    throw new InvalidDataException($"{file.Path} holds tensor '{Excerpt.Of(entry.Name)}', which {index} places in {listed ?? "no file"}.");
                fileOf.Remove(entry.Name);
            }
        }
        return fileOf.Count == 0 ? files
            : throw new InvalidDataException($"{index} places tensor '{Excerpt.Of(fileOf.First().Key)}' in {fileOf.First().Value}, which does not hold it.");
    }

    private static Dictionary<string, string> ReadIndex(string index, JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("weight_map", out JsonElement map) || map.ValueKind != JsonValueKind.Object)
            throw new InvalidDataException($"{index} has no 'weight_map', expected an object from names of tensors to names of files.");
        Dictionary<string, string> fileOf = [];
        foreach (JsonProperty property in map.EnumerateObject())
        {
            string? file = property.Value.ValueKind == JsonValueKind.String ? property.Value.GetString() : null;
            if (!PlainFileName.Is(file) || !file!.EndsWith(".safetensors", StringComparison.Ordinal))
                throw new InvalidDataException($"{index} places tensor '{Excerpt.Of(property.Name)}' in {Excerpt.Of(property.Value.GetRawText())}, expected the name of a safetensors file beside it.");
            fileOf.Add(property.Name, file);
        }
        return fileOf.Count > 0 ? fileOf : throw new InvalidDataException($"{index} has an empty 'weight_map'.");
    }
}
