using System.Text.Json.Nodes;
using System.Text.Json;
using MLNetExtension.Files;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Llama;
using MLNetExtension.Models;
using MLNetExtension.Safetensors;
using static TorchSharp.torch;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>
/// A model in a folder as Hugging Face's tools write and read it: <c>config.json</c>, <c>model.safetensors</c> (or several such files under <c>model.safetensors.index.json</c>) and
/// <c>generation_config.json</c>. Owns the model.
/// </summary>
/// <remarks>
/// <para>Known model types: gpt2, llama, mistral, mixtral, qwen2, qwen3 and smollm3. Whatever else a configuration says that may change what the model computes is refused, by name.
/// Pickle files are never read: they can run any program.</para>
/// <para>Tokenizer files lie in the same folder and are not this class's business: <see cref="Save(string, IReadOnlyList{string}?, long)"/> carries given files along.</para>
/// </remarks>
internal sealed class HuggingFaceModel : IDisposable
{
    private const string GenerationFileName = "generation_config.json";
    private const long UsualFileBytes = 5_000_000_000;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private readonly JsonObject? _configuration;
    private readonly JsonObject? _generation;

    /// <summary>Takes over a model that was made here, to write it.</summary>
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
        (_configuration, _generation) = (configuration, generation);
        EndOfTextIds = Ids("eos_token_id");
        BeginOfTextId = Ids("bos_token_id") is [int id, ..] ? id : null;
    }

    /// <summary>The model.</summary>
    public CausalLanguageModel Model { get; }

    /// <summary>Ids of the tokens that end a text; empty where the files name none.</summary>
    public IReadOnlyList<int> EndOfTextIds { get; }

    /// <summary>Id of the token that begins a text; null where the files name none.</summary>
    public int? BeginOfTextId { get; }

    /// <summary>What <c>config.json</c> says of the model as it stands.</summary>
    /// <exception cref="NotSupportedException">Hugging Face's files have no way to say what this model computes.</exception>
    internal JsonObject Configuration => HuggingFaceConfiguration.Write(Model, _configuration);

    /// <summary>What <c>generation_config.json</c> says.</summary>
    internal JsonObject GenerationConfiguration => (JsonObject)(_generation ?? Generation()).DeepClone();

    /// <summary>Makes a model of what its files say, with weights that hold nothing yet.</summary>
    /// <param name="configuration">What <see cref="Configuration"/> gave.</param>
    /// <param name="generation">What <see cref="GenerationConfiguration"/> gave.</param>
    /// <exception cref="NotSupportedException">The model type or an option is not supported; the message names it.</exception>
    /// <exception cref="InvalidDataException">A key is missing or has a value of the wrong kind.</exception>
    internal static HuggingFaceModel WithoutWeights(JsonObject configuration, JsonObject generation)
    {
        using JsonDocument document = JsonDocument.Parse(configuration.ToJsonString());
        ScalarType dtype = configuration["torch_dtype"]?.GetValue<string>() == "bfloat16" ? ScalarType.BFloat16 : ScalarType.Float32;
        return new HuggingFaceModel(HuggingFaceConfiguration.Read(document.RootElement, HuggingFaceConfiguration.FileName).Make(dtype), configuration, generation);
    }

    /// <summary>Reads a model from a folder. Sizes, names and shapes are checked against one another before any weight is allocated.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="dtype">Type of the model's weights, into which those of the files are converted. Default float32.</param>
    /// <returns>The model, on the CPU, in evaluation mode.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">The folder lacks the configuration or the weights.</exception>
    /// <exception cref="NotSupportedException">The model type, an option or the form of the weights is not supported; the message names it.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or the files do not go together.</exception>
    public static HuggingFaceModel Load(string folder, ScalarType dtype = ScalarType.Float32)
    {
        string path = ConfigurationPath(folder), generationPath = Path.Combine(folder, GenerationFileName);
        (IArchitecture architecture, JsonObject configuration) = JsonFile.Read(path, root => (HuggingFaceConfiguration.Read(root, path), JsonObject.Create(root.Clone())!));
        HuggingFaceWeights weights = new(architecture, SafetensorsFolder.Open(folder));
        JsonObject? generation = File.Exists(generationPath) ? ReadObject(generationPath) : null;
        CausalLanguageModel model = architecture.Make(dtype);
        try
        {
            // A caller may load inside a dispose scope of his own; the model outlives it.
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

    /// <summary>Reads from a folder's configuration how long the model's context is and how large its vocabulary.</summary>
    /// <param name="folder">The folder.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">The folder lacks the configuration.</exception>
    /// <exception cref="NotSupportedException">The model type or an option is not supported; the message names it.</exception>
    /// <exception cref="InvalidDataException">The configuration is damaged.</exception>
    internal static (int ContextLength, int VocabularySize) SizesOf(string folder)
    {
        string path = ConfigurationPath(folder);
        IArchitecture architecture = JsonFile.Read(path, root => HuggingFaceConfiguration.Read(root, path));
        return (architecture.ContextLength, architecture.VocabularySize);
    }

    /// <summary>Writes the model into a folder. What was there under the same names is replaced once everything is written; an interrupted save leaves no <c>config.json</c>, or the old files.</summary>
    /// <param name="folder">The folder; made if it is not there.</param>
    /// <param name="alongside">Paths of files to carry along under their own names, those of the tokenizer above all; null for none.</param>
    /// <param name="maximumFileBytes">Most bytes of weights in a file; a larger model is written as several files under an index. Default 5 GB; a single tensor is never cut.</param>
    /// <exception cref="NotSupportedException">Hugging Face's files have no way to say what this model computes.</exception>
    public void Save(string folder, IReadOnlyList<string>? alongside = null, long maximumFileBytes = UsualFileBytes) =>
        Save(folder, (alongside ?? []).Select(path => KeyValuePair.Create<string, Action<Stream>>(Path.GetFileName(path), stream => Copy(path, stream))), maximumFileBytes);

    /// <summary>Writes the model into a folder, with other files that are written by whoever knows them.</summary>
    /// <param name="folder">The folder; made if it is not there.</param>
    /// <param name="alongside">Names of further files and what writes them.</param>
    /// <param name="maximumFileBytes">Most bytes of weights in a file.</param>
    /// <exception cref="NotSupportedException">Hugging Face's files have no way to say what this model computes.</exception>
    internal void Save(string folder, IEnumerable<KeyValuePair<string, Action<Stream>>> alongside, long maximumFileBytes = UsualFileBytes)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentOutOfRangeException.ThrowIfLessThan(maximumFileBytes, 1);
        JsonObject configuration = Configuration;
        using StagedFiles files = StagedFiles.CreateIn(folder);
        HuggingFaceWeightsWriter.Write(Model, files, maximumFileBytes);
        files.Write(HuggingFaceConfiguration.FileName, stream => JsonSerializer.Serialize(stream, configuration, Indented));
        files.Write(GenerationFileName, stream => JsonSerializer.Serialize(stream, _generation ?? Generation(), Indented));
        foreach ((string name, Action<Stream> write) in alongside)
            files.Write(name, write);
        files.MoveInto(folder, marker: HuggingFaceConfiguration.FileName, isStale: SafetensorsFolder.IsWeightsFile);
    }

    /// <summary>Frees the model.</summary>
    public void Dispose() => Model.Dispose();

    private JsonObject Generation()
    {
        JsonObject json = new() { ["_from_model_config"] = true };
        foreach (string key in new[] { "bos_token_id", "eos_token_id", "pad_token_id" })
        {
            if (_configuration?[key] is { } id)
                json[key] = id.DeepClone();
        }
        return json;
    }

    private int[] Ids(string key) => (_generation?[key] ?? _configuration?[key]) switch
    {
        null => [],
        JsonArray list => [.. list.Select(id => Id(key, id))],
        JsonNode id => [Id(key, id)],
    };

    private static string ConfigurationPath(string folder)
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
        using FileStream file = File.OpenRead(path);
        file.CopyTo(stream);
    }

    private static int Id(string key, JsonNode? node) => node is JsonValue value && value.TryGetValue(out int id) ? id
        : throw new InvalidDataException($"'{key}' is {node?.ToJsonString() ?? "null"}, expected a whole number or a list of them.");

    private static JsonObject ReadObject(string path) => JsonFile.Read(path, root => root.ValueKind == JsonValueKind.Object ? JsonObject.Create(root.Clone())!
        : throw new InvalidDataException($"{path} is not a JSON object."));
}
