using System.Text.Json;
using System.Text.Json.Nodes;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Llama;
using static TorchSharp.torch;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>A model's architecture as Hugging Face's <c>config.json</c> states it.</summary>
internal static class HuggingFaceConfiguration
{
    public const string FileName = "config.json";

    private const string ModelTypeKey = "model_type";

    private static readonly Dictionary<string, Func<ConfigurationReader, IArchitecture>> Readers = new[] { "llama", "mistral", "mixtral", "qwen2", "qwen3", "smollm3" }
        .Select(type => KeyValuePair.Create(type, (Func<ConfigurationReader, IArchitecture>)(reader => new LlamaArchitecture(LlamaConfigurationFile.Read(reader, type)))))
        .Prepend(KeyValuePair.Create("gpt2", (Func<ConfigurationReader, IArchitecture>)(reader => new Gpt2Architecture(Gpt2ConfigurationFile.Read(reader)))))
        .ToDictionary();

    /// <summary>Reads the architecture.</summary>
    /// <param name="json">The file's object.</param>
    /// <param name="where">What it is called in errors.</param>
    /// <exception cref="InvalidDataException">A key is missing or has a value of the wrong kind.</exception>
    /// <exception cref="NotSupportedException">The type, an option or a key is unknown; the message names it and lists those known.</exception>
    public static IArchitecture Read(JsonElement json, string where)
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw new InvalidDataException($"{where} is not a JSON object.");
        ConfigurationReader reader = new(json, where);
        IArchitecture architecture = reader.Choice(ModelTypeKey, Readers)(reader);
        foreach ((string key, string value) in HuggingFaceKeys.OnlyValue)
            reader.MustBe(key, value);
        reader.RefuseOthers(HuggingFaceKeys.Harmless);
        return architecture;
    }

    /// <summary>Writes the architecture of a model.</summary>
    /// <param name="model">A model of a class that the files know.</param>
    /// <param name="before">What the model's file said, whose harmless keys are kept; null where there was none.</param>
    /// <exception cref="NotSupportedException">The files have no way to say what this model computes.</exception>
    public static JsonObject Write(CausalLanguageModel model, JsonObject? before = null)
    {
        IArchitecture architecture = Of(model);
        JsonObject json = before is null ? [] : (JsonObject)before.DeepClone();
        foreach (string key in json.Select(pair => pair.Key).Where(key => !HuggingFaceKeys.Harmless.Contains(key)).ToList())
            json.Remove(key);
        architecture.Write(json);
        json["torch_dtype"] = TypeName(model.parameters().First().dtype);
        json.Remove("dtype");

        using JsonDocument written = JsonDocument.Parse(json.ToJsonString());
        if (!architecture.IsSame(Read(written.RootElement, FileName)))
            throw new NotSupportedException($"A {FileName} of the type '{json[ModelTypeKey]}' has no way to say what this model computes.");
        return json;
    }

    /// <summary>Gives the architecture of a model.</summary>
    /// <exception cref="NotSupportedException">It is of a class that the files do not know.</exception>
    public static IArchitecture Of(CausalLanguageModel model) => model switch
    {
        Gpt2Model gpt2 => new Gpt2Architecture(gpt2.Configuration),
        LlamaModel llama => new LlamaArchitecture(llama.Configuration),
        _ => throw new NotSupportedException($"A model of the class {model.GetType().Name} cannot be written as Hugging Face's; known are {nameof(Gpt2Model)} and {nameof(LlamaModel)}."),
    };

    private static string TypeName(ScalarType type) => type switch
    {
        ScalarType.Float64 => "float64",
        ScalarType.Float32 => "float32",
        ScalarType.BFloat16 => "bfloat16",
        ScalarType.Float16 => "float16",
        _ => throw new NotSupportedException($"Weights of type {type} cannot be written."),
    };
}
