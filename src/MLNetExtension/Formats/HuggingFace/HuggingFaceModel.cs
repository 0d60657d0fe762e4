using System.Text.Json.Nodes;
using System.Text.Json;
using MLNetExtension.Files;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Llama;
using MLNetExtension.Models;
using MLNetExtension.Models.Lora;
using MLNetExtension.Safetensors;
using MLNetExtension.Tokenization;
using static TorchSharp.torch;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>
/// A model as Hugging Face's tools keep it in a folder: <c>config.json</c>, <c>model.safetensors</c> (or several such files under <c>model.safetensors.index.json</c>) and
/// <c>generation_config.json</c>. Owns the model.
/// </summary>
/// <remarks>
/// <para>Known model types: gpt2 and those of <see cref="LlamaFamily.All"/>. A configuration with other keys that may change what the model computes is refused; the message names the key.
/// Pickle files are never read: they can run any program.</para>
/// <para>Tokenizer files are in the same folder, but not read here; <see cref="Save(string, IReadOnlyList{string}?, long)"/> copies given files.</para>
/// </remarks>
internal sealed class HuggingFaceModel : IDisposable
{
    private const long DefaultFileBytes = 5_000_000_000;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private readonly JsonObject? _configuration;
    private readonly GenerationConfiguration _generation;

    /// <summary>Takes over a model that was not read from files, to write it.</summary>
    /// <param name="model">A <see cref="Gpt2Model"/> or a <see cref="LlamaModel"/>.</param>
    /// <param name="endOfTextId">The id that ends a text; null where there is none.</param>
    public HuggingFaceModel(CausalLanguageModel model, int? endOfTextId = null)
        : this(model, endOfTextId is null ? null : new JsonObject { ["bos_token_id"] = endOfTextId, ["eos_token_id"] = endOfTextId }, null)
    {
    }

    private HuggingFaceModel(CausalLanguageModel model, JsonObject? configuration, JsonObject? generation)
    {
        ArgumentNullException.ThrowIfNull(model);
        Model = model;
        _configuration = configuration;
        _generation = new GenerationConfiguration(generation, configuration);
    }

    /// <summary>The model.</summary>
    public CausalLanguageModel Model { get; }

    /// <summary>Ids of the tokens that end a text; empty where the files name none.</summary>
    public IReadOnlyList<int> EndOfTextIds => _generation.EndOfTextIds;

    /// <summary>Id of the token that begins a text; null where the files name none.</summary>
    public int? BeginOfTextId => _generation.BeginOfTextId;

    /// <summary>Id of the token that fills rows up; null where the files name none.</summary>
    public int? PaddingId => _generation.PaddingId;

    /// <summary>Makes what stands in place of a tokenizer where the model has none.</summary>
    /// <exception cref="InvalidDataException">No id ends a text.</exception>
    internal TokenIdsOnly CreateIdsOnly() => new PublishedDescription(HuggingFaceConfiguration.FindArchitecture(Model), _generation).CreateIdsOnly();

    /// <summary>The object to write to <c>config.json</c> for the model as it is.</summary>
    /// <exception cref="NotSupportedException">Hugging Face's files have no keys for what this model computes.</exception>
    internal JsonObject ConfigurationJson => HuggingFaceConfiguration.Write(Model, _configuration);

    /// <summary>The object to write to <c>generation_config.json</c>.</summary>
    internal JsonObject GenerationJson => _generation.ToJson();

    /// <summary>Reads what a configuration says of a model, without creating it.</summary>
    /// <param name="configuration">What <see cref="ConfigurationJson"/> gave.</param>
    /// <param name="generation">What <see cref="GenerationJson"/> gave.</param>
    /// <exception cref="NotSupportedException">The model type or an option is not supported; the message names it.</exception>
    /// <exception cref="InvalidDataException">A key is missing or has a value that is not allowed.</exception>
    internal static PublishedDescription Describe(JsonObject configuration, JsonObject generation)
    {
        using JsonDocument document = JsonDocument.Parse(configuration.ToJsonString());
        return new PublishedDescription(HuggingFaceConfiguration.Read(document.RootElement, HuggingFaceConfiguration.FileName), new GenerationConfiguration(generation, configuration));
    }

    /// <summary>Creates a model from its configuration, with uninitialized weights.</summary>
    /// <param name="configuration">What <see cref="ConfigurationJson"/> gave.</param>
    /// <param name="generation">What <see cref="GenerationJson"/> gave.</param>
    /// <exception cref="NotSupportedException">The model type or an option is not supported; the message names it.</exception>
    /// <exception cref="InvalidDataException">A key is missing or has a value that is not allowed.</exception>
    internal static HuggingFaceModel CreateUninitialized(JsonObject configuration, JsonObject generation)
    {
        bool isHalf = configuration["torch_dtype"] is JsonValue value && value.TryGetValue(out string? name) && name == "bfloat16";
        return new HuggingFaceModel(Describe(configuration, generation).Architecture.CreateModel(isHalf ? ScalarType.BFloat16 : ScalarType.Float32), configuration, generation);
    }

    /// <summary>Reads a model from a folder. Sizes, names and shapes are checked against one another before any weight is allocated.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="dtype">Type of the model's weights, to which those of the files are converted. Default float32.</param>
    /// <param name="dropout">Share that training zeroes, in place of what the configuration says, from 0 to below 1. Default null: what it says.</param>
    /// <param name="adapters">The adapters that the model is to have, whose <see cref="LoraOptions.BasePrecision"/> the weights are stored in as they are read. Default null: none.</param>
    /// <returns>The model, on the CPU, in evaluation mode.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">The folder lacks the configuration or the weights.</exception>
    /// <exception cref="NotSupportedException">The model type, an option or the form of the weights is not supported; the message names it.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or the files contradict one another.</exception>
    public static HuggingFaceModel Load(string folder, ScalarType dtype = ScalarType.Float32, double? dropout = null, LoraOptions? adapters = null)
    {
        (IArchitecture architecture, JsonObject configuration, JsonObject? generation) = ReadFiles(folder);
        // Read for its errors, which come before the weights.
        _ = new GenerationConfiguration(generation, configuration);
        HuggingFaceWeights weights = new(architecture, SafetensorsFolder.Open(folder));
        CausalLanguageModel model = (dropout is { } share ? architecture.WithDropout(share) : architecture).CreateModel(dtype);
        try
        {
            if (adapters is not null)
                HuggingFaceAdapters.StoreBase(model, adapters, keepsValues: false);
            // The caller may load inside a dispose scope; the model outlives it.
            foreach (Tensor tensor in model.parameters())
                tensor.DetachFromDisposeScope();
            weights.Fill(model);
            model.eval();
            return new HuggingFaceModel(model, configuration, generation);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Reads what a folder's configuration says of the model, without its weights.</summary>
    /// <param name="folder">The folder.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">The folder lacks the configuration.</exception>
    /// <exception cref="NotSupportedException">The model type or an option is not supported; the message names it.</exception>
    /// <exception cref="InvalidDataException">The configuration is damaged.</exception>
    internal static PublishedDescription ReadDescription(string folder)
    {
        (IArchitecture architecture, JsonObject configuration, JsonObject? generation) = ReadFiles(folder);
        return new PublishedDescription(architecture, new GenerationConfiguration(generation, configuration));
    }

    /// <summary>Writes the model into a folder. What was there under the same names is replaced once everything is written; an interrupted save leaves no <c>config.json</c>, or the old files.</summary>
    /// <param name="folder">The folder; created if it is missing.</param>
    /// <param name="alongside">Paths of files to copy under their own names, such as those of the tokenizer; null for none.</param>
    /// <param name="maximumFileBytes">Most bytes of weights in a file; a larger model is written as several files under an index. Default 5 GB; a tensor is never split.</param>
    /// <exception cref="NotSupportedException">Hugging Face's files have no keys for what this model computes.</exception>
    public void Save(string folder, IReadOnlyList<string>? alongside = null, long maximumFileBytes = DefaultFileBytes)
    {
        List<KeyValuePair<string, Action<Stream>>> copies = [];
        foreach (string path in alongside ?? [])
            copies.Add(new(Path.GetFileName(path), stream => Copy(path, stream)));
        Save(folder, copies, maximumFileBytes);
    }

    /// <summary>Writes the model into a folder, together with other files.</summary>
    /// <param name="folder">The folder; created if it is missing.</param>
    /// <param name="alongside">Names of the other files and what writes them.</param>
    /// <param name="maximumFileBytes">Most bytes of weights in a file.</param>
    /// <exception cref="NotSupportedException">Hugging Face's files have no keys for what this model computes.</exception>
    internal void Save(string folder, IEnumerable<KeyValuePair<string, Action<Stream>>> alongside, long maximumFileBytes = DefaultFileBytes)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentOutOfRangeException.ThrowIfLessThan(maximumFileBytes, 1);
        JsonObject configuration = ConfigurationJson;
        using StagedFiles files = StagedFiles.CreateIn(folder);
        HuggingFaceWeightsWriter.Write(Model, files, maximumFileBytes);
        files.Write(HuggingFaceConfiguration.FileName, stream => JsonSerializer.Serialize(stream, configuration, Indented));
        files.Write(GenerationConfiguration.FileName, stream => JsonSerializer.Serialize(stream, _generation.ToJson(), Indented));
        foreach ((string name, Action<Stream> write) in alongside)
            files.Write(name, write);
        files.MoveInto(folder, marker: HuggingFaceConfiguration.FileName, isStale: SafetensorsFolder.IsWeightsFile);
    }

    /// <summary>Frees the model.</summary>
    public void Dispose() => Model.Dispose();

    private static (IArchitecture Architecture, JsonObject Configuration, JsonObject? Generation) ReadFiles(string folder)
    {
        string path = FindConfiguration(folder), generation = Path.Combine(folder, GenerationConfiguration.FileName);
        (IArchitecture architecture, JsonObject configuration) = JsonFile.Read(path, root => (HuggingFaceConfiguration.Read(root, path), ToObject(root, path)));
        return (architecture, configuration, File.Exists(generation) ? JsonFile.Read(generation, root => ToObject(root, generation)) : null);
    }

    private static string FindConfiguration(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        SafetensorsFolder.RefusePickle(folder);
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"There is no folder {folder}.");
        string path = Path.Combine(folder, HuggingFaceConfiguration.FileName);
        return File.Exists(path) ? path
            : throw new FileNotFoundException($"The folder {folder} lacks {HuggingFaceConfiguration.FileName}. (A save that was interrupted leaves none.)", path);
    }

    private static void Copy(string path, Stream stream)
    {
        using FileStream file = RegularFile.OpenRead(path);
        file.CopyTo(stream);
    }

    private static JsonObject ToObject(JsonElement root, string path) => root.ValueKind == JsonValueKind.Object ? JsonObject.Create(root.Clone())!
        : throw new InvalidDataException($"{path} is not a JSON object.");
}
