using System.Text.Json.Nodes;
using MLNetExtension.Files;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>The ids of special tokens in <c>generation_config.json</c> or, where they are missing there, in <c>config.json</c>.</summary>
internal sealed class GenerationConfiguration
{
    public const string FileName = "generation_config.json";

    private readonly JsonObject? _file, _configuration;

    /// <summary>Reads the ids.</summary>
    /// <param name="file">The object in <c>generation_config.json</c>; null where there is none.</param>
    /// <param name="configuration">The object in <c>config.json</c>; null where there is none.</param>
    /// <exception cref="InvalidDataException">An id is not a whole number from 0 on; the message names the file.</exception>
    public GenerationConfiguration(JsonObject? file, JsonObject? configuration)
    {
        (_file, _configuration) = (file, configuration);
        EndOfTextIds = ReadIds("eos_token_id");
        BeginOfTextId = ReadIds("bos_token_id") is [int id, ..] ? id : null;
    }

    /// <summary>Ids of the tokens that end a text; empty where the files name none.</summary>
    public IReadOnlyList<int> EndOfTextIds { get; }

    /// <summary>Id of the token that begins a text; null where the files name none.</summary>
    public int? BeginOfTextId { get; }

    /// <summary>Id of the token that fills rows up, which nothing here depends on; null where the files name none or what is no id.</summary>
    public int? PaddingId => (_file?["pad_token_id"] ?? _configuration?["pad_token_id"]) is JsonValue value && value.TryGetValue(out int id) && id >= 0 ? id : null;

    /// <summary>Makes the object to write to <c>generation_config.json</c>.</summary>
    public JsonObject ToJson()
    {
        if (_file is not null)
            return (JsonObject)_file.DeepClone();
        JsonObject json = new() { ["_from_model_config"] = true };
        foreach (string key in new[] { "bos_token_id", "eos_token_id", "pad_token_id" })
        {
            if (_configuration?[key] is { } id)
                json[key] = id.DeepClone();
        }
        return json;
    }

    private int[] ReadIds(string key)
    {
        string where = $"{(_file?[key] is null ? HuggingFaceConfiguration.FileName : FileName)}: '{key}'";
        return (_file?[key] ?? _configuration?[key]) switch
        {
            null => [],
            JsonArray list => [.. list.Select(id => ReadId(where, id))],
            JsonNode id => [ReadId(where, id)],
        };
    }

    // One more is the size of a vocabulary, a number still.
    private static int ReadId(string where, JsonNode? node) => node is JsonValue value && value.TryGetValue(out int id) && id is >= 0 and < int.MaxValue ? id
        : throw new InvalidDataException($"{where} is {Excerpt.Of(node?.ToJsonString() ?? "null")}, expected a whole number or a list of them, each from 0 to {int.MaxValue - 1}.");
}
