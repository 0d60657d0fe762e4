using System.Text.Json;
using System.Text.Json.Nodes;
using MLNetExtension.Files;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Lora;
using MLNetExtension.Safetensors;
using static TorchSharp.torch;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>Reads and writes adapters in a folder in PEFT's format; they are checked against a model before anything is allocated.</summary>
internal sealed class PeftFolder
{
    private const string WeightsName = "adapter_model.safetensors";
    private const string PickleName = "adapter_model.bin";
    private const string Prefix = "base_model.model.", SuffixA = ".lora_A.weight", SuffixB = ".lora_B.weight";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private readonly SafetensorsFile _weights;

    private PeftFolder(SafetensorsFile weights, LoraOptions options, IReadOnlyList<AdaptableModule> modules) => (_weights, Options, Modules) = (weights, options, modules);

    /// <summary>The adapters' settings.</summary>
    public LoraOptions Options { get; }

    /// <summary>The layers with an adapter.</summary>
    public IReadOnlyList<AdaptableModule> Modules { get; }

    /// <summary>Reads the configuration and checks the weights' names, shapes and types.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="modules">The linear layers of the model.</param>
    public static PeftFolder Open(string folder, IReadOnlyList<AdaptableModule> modules)
    {
        string path = Path.Combine(folder, PeftConfiguration.FileName), weightsPath = Path.Combine(folder, WeightsName);
        if (!File.Exists(path))
            throw new FileNotFoundException($"The folder {folder} lacks {PeftConfiguration.FileName}.", path);
        if (!File.Exists(weightsPath) && File.Exists(Path.Combine(folder, PickleName)))
            SafetensorsFolder.RefusePickle(Path.Combine(folder, PickleName), expected: WeightsName);
        if (!File.Exists(weightsPath))
            throw new FileNotFoundException($"The folder {folder} lacks {WeightsName}.", weightsPath);

        LoraOptions options = JsonFile.Read(path, root => PeftConfiguration.Read(new JsonObjectReader(root, path)));
        SafetensorsFile weights = SafetensorsFile.Open(weightsPath);
        HashSet<string> names = [.. weights.Entries.Select(entry => entry.Name)];
        IReadOnlyList<AdaptableModule> named = [.. modules.Where(module => names.Contains(NameOfA(module)) || names.Contains(NameOfB(module)))];
        if (options.TargetModules.Count == 0)
            options = options with { TargetModules = [.. named.Select(module => module.Name)] };
        try
        {
            options.Validate();
            PeftFolder files = new(weights, options, AdaptableModule.Select(modules, options.TargetModules));
            files.Check(modules);
            return files;
        }
        catch (ArgumentException exception)
        {
            throw new InvalidDataException($"{path}: {Excerpt.OfSentence(exception)}", exception);
        }
    }

    /// <summary>Loads the adapters' weights from the file.</summary>
    /// <param name="adapters">The adapters of <see cref="Modules"/>.</param>
    /// <exception cref="InvalidDataException">A weight is not finite.</exception>
    public void Fill(IReadOnlyList<(AdaptableModule Module, LowRankAdapter Adapter)> adapters)
    {
        Dictionary<string, Tensor> tensors = Tensors(adapters).ToDictionary();
        using FileStream stream = _weights.OpenRead();
        foreach (SafetensorsEntry entry in _weights.Entries)
        {
            stream.Position = _weights.DataStart + entry.Begin;
            TensorBytes.ReadFinite(tensors[entry.Name], entry, stream, _weights.Path);
        }
    }

    /// <summary>Writes adapters; the configuration last.</summary>
    /// <param name="folder">The folder; created if it is missing.</param>
    /// <param name="options">Their settings.</param>
    /// <param name="adapters">The adapters.</param>
    /// <param name="baseModel">The model's name; null for none.</param>
    public static void Write(string folder, LoraOptions options, IReadOnlyList<(AdaptableModule Module, LowRankAdapter Adapter)> adapters, string? baseModel)
    {
        // PEFT has no '*', so whole names are written instead.
        bool hasWildcard = options.TargetModules.Any(pattern => pattern.Contains('*'));
        IEnumerable<string> targets = hasWildcard ? adapters.Select(pair => pair.Module.Name) : options.TargetModules;
        JsonObject configuration = PeftConfiguration.Write(options, targets, transposed: adapters.Any(pair => pair.Module.IsTransposed), baseModel);
        using StagedFiles files = StagedFiles.CreateIn(folder);
        files.Write(WeightsName, stream => SafetensorsWriter.Write([.. Tensors(adapters).Select(pair => (pair.Key, pair.Value))], stream));
        files.Write(PeftConfiguration.FileName, stream => JsonSerializer.Serialize(stream, configuration, Indented));
        files.MoveInto(folder, marker: PeftConfiguration.FileName, isStale: name => name == PickleName);
    }

    private void Check(IReadOnlyList<AdaptableModule> all)
    {
        Dictionary<string, SafetensorsEntry> entries = _weights.Entries.ToDictionary(entry => entry.Name);
        foreach (AdaptableModule module in Modules)
        {
            Check(entries, NameOfA(module), [Options.Rank, module.Linear.Inputs]);
            Check(entries, NameOfB(module), [module.Rows, Options.Rank]);
        }
        if (entries.Count > 0)
            throw new InvalidDataException($"{_weights.Path} holds the tensor '{Excerpt.Of(entries.Keys.Min(StringComparer.Ordinal)!)}', which is of no adapter that {PeftConfiguration.FileName} names. {AdaptableModule.ListNames(all)}");
    }

    private void Check(Dictionary<string, SafetensorsEntry> entries, string name, long[] shape)
    {
        string expected = $"[{string.Join(", ", shape)}]";
        if (!entries.Remove(name, out SafetensorsEntry? entry))
            throw new InvalidDataException($"{_weights.Path} lacks the tensor '{name}', {expected}.");
        if (!entry.Shape.SequenceEqual(shape) || entry.Type is not (ScalarType.Float64 or ScalarType.Float32 or ScalarType.Float16 or ScalarType.BFloat16))
            throw new InvalidDataException($"{_weights.Path}: the tensor '{name}' is {entry.Description}, expected {expected} of F64, F32, F16 or BF16.");
    }

    private static IEnumerable<KeyValuePair<string, Tensor>> Tensors(IReadOnlyList<(AdaptableModule Module, LowRankAdapter Adapter)> adapters) => adapters.SelectMany(pair => new[]
    {
        KeyValuePair.Create(NameOfA(pair.Module), (Tensor)pair.Adapter.A),
        KeyValuePair.Create(NameOfB(pair.Module), (Tensor)pair.Adapter.B),
    });

    private static string NameOfA(AdaptableModule module) => Prefix + module.Name + SuffixA;

    private static string NameOfB(AdaptableModule module) => Prefix + module.Name + SuffixB;
}
