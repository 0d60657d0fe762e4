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
    private const string Prefix = "base_model.model.", SuffixA = ".lora_A.weight", SuffixB = ".lora_B.weight", SuffixMagnitude = ".lora_magnitude_vector";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private readonly SafetensorsFile _weights;

    private PeftFolder(SafetensorsFile weights, LoraOptions options, AdaptableParts parts) => (_weights, Options, Parts) = (weights, options, parts);

    /// <summary>The adapters' settings.</summary>
    public LoraOptions Options { get; }

    /// <summary>The layers with an adapter, and the modules that have been trained whole.</summary>
    public AdaptableParts Parts { get; }

    /// <summary>Reads the configuration and checks the weights' names, shapes and types.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="parts">What of the model can have an adapter or be trained whole.</param>
    public static PeftFolder Open(string folder, AdaptableParts parts)
    {
        string path = Path.Combine(folder, PeftConfiguration.FileName), weightsPath = Path.Combine(folder, WeightsName);
        if (!File.Exists(path))
            throw new FileNotFoundException($"The folder {folder} lacks {PeftConfiguration.FileName}.", path);
        if (!File.Exists(weightsPath) && File.Exists(Path.Combine(folder, PickleName)))
            SafetensorsFolder.RefusePickle(Path.Combine(folder, PickleName), expected: WeightsName);
        if (!File.Exists(weightsPath))
            throw new FileNotFoundException($"The folder {folder} lacks {WeightsName}.", weightsPath);

        (LoraOptions options, bool keepsTies) = JsonFile.Read(path, root => PeftConfiguration.Read(new JsonObjectReader(root, path)));
        SafetensorsFile weights = SafetensorsFile.Open(weightsPath);
        if (options.TargetModules.Count == 0)
            options = options with { TargetModules = NamesIn(weights, parts.Linears) };
        try
        {
            options.Validate();
            // PEFT takes every module whose name ends so, after a dot or not.
            AdaptableParts selected = parts.Select(options with { TrainedModules = [.. options.TrainedModules.Select(name => "*" + name)] });
            options = options with { TrainedModules = [.. selected.Whole.Select(module => module.Name)] };
            PeftFolder files = new(weights, options, selected);
            files.Check(parts.Linears, keepsTies);
            return files;
        }
        catch (ArgumentException exception)
        {
            throw new InvalidDataException($"{path}: {Excerpt.OfSentence(exception)}", exception);
        }
    }

    /// <summary>Loads the weights of adapters and trained modules from the file.</summary>
    /// <param name="adapters">Adapters on <see cref="Parts"/>.</param>
    /// <exception cref="InvalidDataException">A weight is not finite; the model's own weights are as they were.</exception>
    /// <exception cref="NotSupportedException">Weights that the model ties differ.</exception>
    public void Fill(LoraAdapters adapters)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Dictionary<string, Tensor> tensors = adapters.Attached.SelectMany(pair => List(pair.Module, pair.Adapter, withInitial: false)).ToDictionary();
        IReadOnlyList<(WholeTensor Source, Tensor Values)> trained = adapters.ListTrainedTensors();
        // Into memory of their own: what is wrong further on in the file must leave the model's weights as they are.
        foreach ((WholeTensor source, Tensor values) in trained)
            tensors[Prefix + source.Name] = empty(values.shape, dtype: values.dtype);
        using FileStream stream = _weights.OpenRead();
        foreach (SafetensorsEntry entry in _weights.Entries)
        {
            stream.Position = _weights.DataStart + entry.Begin;
            TensorBytes.ReadFinite(tensors[entry.Name], entry, stream, _weights.Path);
        }
        HashSet<string> inFile = [.. _weights.Entries.Select(entry => entry.Name)];
        foreach (var tied in trained.Where(tensor => inFile.Contains(Prefix + tensor.Source.Name)).GroupBy(tensor => tensor.Source.Parameter))
        {
            Tensor[] read = [.. tied.Select(tensor => tensors[Prefix + tensor.Source.Name])];
            if (!read.All(values => values.eq(read[0]).all().item<bool>()))
                throw new NotSupportedException($"{_weights.Path}: {string.Join(" and ", tied.Select(tensor => tensor.Source.Name))} differ, but the model ties them, which is not supported; expected equal weights.");
        }
        foreach ((WholeTensor source, Tensor values) in trained.Where(tensor => inFile.Contains(Prefix + tensor.Source.Name)))
            values.copy_(tensors[Prefix + source.Name]);
    }

    /// <summary>Writes adapters; the configuration last.</summary>
    /// <param name="folder">The folder; created if it is missing.</param>
    /// <param name="adapters">The adapters.</param>
    /// <param name="baseModel">The model's name; null for none.</param>
    public static void Write(string folder, LoraAdapters adapters, string? baseModel)
    {
        JsonObject configuration = PeftConfiguration.Write(adapters, baseModel);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        // A tied weight under each of its names: PEFT looks for every module that it trains.
        (string, Tensor)[] tensors =
        [
            .. adapters.Attached.SelectMany(pair => List(pair.Module, pair.Adapter, withInitial: true)),
            .. adapters.ListTrainedTensors().Select(tensor => (Prefix + tensor.Source.Name, tensor.Values.contiguous())),
        ];
        using StagedFiles files = StagedFiles.CreateIn(folder);
        files.Write(WeightsName, stream => SafetensorsWriter.Write(tensors, stream));
        files.Write(PeftConfiguration.FileName, stream => JsonSerializer.Serialize(stream, configuration, Indented));
        files.MoveInto(folder, marker: PeftConfiguration.FileName, isStale: name => name == PickleName);
    }

    private static IReadOnlyList<string> NamesIn(SafetensorsFile weights, IReadOnlyList<AdaptableModule> modules)
    {
        HashSet<string> names = [.. weights.Entries.Select(entry => entry.Name)];
        return [.. modules.Select(module => module.Name).Where(name => names.Contains(Prefix + name + SuffixA) || names.Contains(Prefix + name + SuffixB))];
    }

    private void Check(IReadOnlyList<AdaptableModule> all, bool keepsTies)
    {
        Dictionary<string, SafetensorsEntry> entries = _weights.Entries.ToDictionary(entry => entry.Name);
        foreach (AdaptableModule module in Parts.Linears)
        {
            Check(entries, NameOfA(module), [Options.Rank, module.Inputs]);
            Check(entries, NameOfB(module), [module.Rows, Options.Rank]);
            if (Options.UseDora)
                Check(entries, NameOfMagnitude(module), [module.Rows]);
        }
        foreach (IGrouping<string, WholeTensor> tied in Parts.Whole.SelectMany(module => module.Tensors).GroupBy(tensor => tensor.Parameter))
            Check(entries, [.. tied], keepsTies);
        if (entries.Count > 0)
            throw new InvalidDataException($"{_weights.Path} holds the tensor '{Excerpt.Of(entries.Keys.Min(StringComparer.Ordinal)!)}', which is of no adapter that {PeftConfiguration.FileName} names. {AdaptableModule.ListNames(all)}");
    }

    // One that is in the file under some of its names alone would be another one under the rest, unless the file says otherwise.
    private void Check(Dictionary<string, SafetensorsEntry> entries, IReadOnlyList<WholeTensor> tied, bool keepsTies)
    {
        WholeTensor[] missing = [.. tied.Where(tensor => !entries.ContainsKey(Prefix + tensor.Name))];
        if (missing.Length > 0 && missing.Length < tied.Count && !keepsTies)
        {
            throw new NotSupportedException(
                $"{_weights.Path} lacks the tensor '{Prefix}{missing[0].Name}', which the model ties to another that has been trained: training one alone is not supported; expected both, or 'ensure_weight_tying' true in {PeftConfiguration.FileName}.");
        }
        foreach (WholeTensor tensor in missing.Length < tied.Count ? tied.Except(missing) : tied)
            Check(entries, Prefix + tensor.Name, tensor.Shape);
    }

    private void Check(Dictionary<string, SafetensorsEntry> entries, string name, long[] shape)
    {
        string expected = $"[{string.Join(", ", shape)}]";
        if (!entries.Remove(name, out SafetensorsEntry? entry))
            throw new InvalidDataException($"{_weights.Path} lacks the tensor '{name}', {expected}.");
        if (!entry.Shape.SequenceEqual(shape) || entry.Type is not (ScalarType.Float64 or ScalarType.Float32 or ScalarType.Float16 or ScalarType.BFloat16))
            throw new InvalidDataException($"{_weights.Path}: the tensor '{name}' is {entry.Description}, expected {expected} of F64, F32, F16 or BF16.");
    }

    // The product that training began with is taken off by more rows and columns of the same matrices: [A; A0] and [B, -B0].
    private static IEnumerable<(string Name, Tensor Values)> List(AdaptableModule module, LowRankAdapter adapter, bool withInitial)
    {
        (Tensor A, Tensor B)? initial = withInitial ? adapter.Initial : null;
        yield return (NameOfA(module), initial is { } first ? cat([adapter.A.detach(), first.A], 0) : adapter.A);
        yield return (NameOfB(module), initial is { } second ? cat([adapter.B.detach(), second.B.neg()], 1) : adapter.B);
        if (adapter.Magnitude is { } magnitude)
            yield return (NameOfMagnitude(module), magnitude);
    }

    private static string NameOfA(AdaptableModule module) => Prefix + module.Name + SuffixA;

    private static string NameOfB(AdaptableModule module) => Prefix + module.Name + SuffixB;

    private static string NameOfMagnitude(AdaptableModule module) => Prefix + module.Name + SuffixMagnitude;
}
