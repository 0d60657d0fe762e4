using System.Text.Json.Nodes;
using System.Text.Json;
using MLNetExtension.Files;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Llama;
using MLNetExtension.Models;
using static TorchSharp.torch;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>Reads and writes a model's architecture as Hugging Face's <c>config.json</c> describes it.</summary>
internal static class HuggingFaceConfiguration
{
    public const string FileName = "config.json";

    private const string ModelTypeKey = "model_type", TextType = "gemma3_text";

    private static readonly IReadOnlyDictionary<string, Func<JsonObjectReader, IArchitecture>> Readers = ListReaders();

    /// <summary>Reads the architecture.</summary>
    /// <param name="json">The file's object.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="InvalidDataException">A key is missing or has a value of the wrong kind.</exception>
    /// <exception cref="NotSupportedException">The type, an option or a key is unknown; the message names it and lists those known.</exception>
    public static IArchitecture Read(JsonElement json, string name)
    {
        JsonObjectReader reader = new(json, name);
        IArchitecture architecture = reader.GetChoice(ModelTypeKey, Readers)(reader);
        RefuseOtherKeys(reader);
        return architecture;
    }

    /// <summary>Writes the architecture of a model.</summary>
    /// <param name="model">A <see cref="Gpt2Model"/> or a <see cref="LlamaModel"/>.</param>
    /// <param name="before">The file that the model was read from, whose harmless keys are kept; null where there was none.</param>
    /// <exception cref="NotSupportedException">The file has no keys for what this model computes.</exception>
    public static JsonObject Write(CausalLanguageModel model, JsonObject? before = null)
    {
        IArchitecture architecture = FindArchitecture(model);
        JsonObject json = before is null ? [] : (JsonObject)before.DeepClone();
        string[] keys = [.. json.Select(pair => pair.Key)];
        foreach (string key in keys)
        {
            if (!HuggingFaceKeys.Harmless.Contains(key))
                json.Remove(key);
        }
        architecture.WriteTo(json);
        json["torch_dtype"] = NameOf(model.parameters().First().dtype);
        json.Remove("dtype");

        using JsonDocument written = JsonDocument.Parse(json.ToJsonString());
        if (!architecture.IsSameAs(Read(written.RootElement, FileName)))
            throw new NotSupportedException($"A {FileName} of the type '{json[ModelTypeKey]}' has no way to say what this model computes.");
        return json;
    }

    /// <summary>Finds the architecture of a model.</summary>
    /// <exception cref="NotSupportedException">It is of another class.</exception>
    public static IArchitecture FindArchitecture(CausalLanguageModel model) => TryFindArchitecture(model)
        ?? throw new NotSupportedException($"A model of the class {model.GetType().Name} cannot be written as Hugging Face's; known are {nameof(Gpt2Model)} and {nameof(LlamaModel)}.");

    /// <summary>Gives what a model's parameters are in Hugging Face's files: several tensors, where a parameter holds several of them. None for a model that the files have no form for.</summary>
    public static ParameterNames ListNames(CausalLanguageModel model)
    {
        if (TryFindArchitecture(model) is not { } architecture)
            return ParameterNames.None;
        Dictionary<string, IReadOnlyList<PublishedPart>> parts = [];
        foreach (IGrouping<string, HuggingFaceTensor> tensors in architecture.Tensors.GroupBy(tensor => tensor.Parameter))
            parts[tensors.Key] = [.. tensors.SelectMany(tensor => tensor.ListParts(tensor.HasPrefix ? architecture.Prefixes[0] : ""))];
        return new ParameterNames(parts);
    }

    private static IArchitecture? TryFindArchitecture(CausalLanguageModel model) => model switch
    {
        Gpt2Model gpt2 => new Gpt2Architecture(gpt2.Configuration),
        LlamaModel llama => new LlamaArchitecture(llama.Configuration),
        _ => null,
    };

    // By the values of the key model_type.
    private static Dictionary<string, Func<JsonObjectReader, IArchitecture>> ListReaders()
    {
        Dictionary<string, Func<JsonObjectReader, IArchitecture>> readers = new() { ["gpt2"] = reader => new Gpt2Architecture(Gpt2ConfigurationFile.Read(reader)) };
        foreach (LlamaFamily family in LlamaFamily.All.Values)
            readers.Add(family.ModelType, reader => new LlamaArchitecture(LlamaConfigurationFile.Read(reader, family)));
        readers.Add("gemma3", ReadTextPart);
        return readers;
    }

    // Of a Gemma 3 with a part for images the text's part is read, and written as a model of its own.
    private static LlamaArchitecture ReadTextPart(JsonObjectReader reader)
    {
        foreach (string key in new[] { "vision_config", "mm_tokens_per_image", "boi_token_index", "eoi_token_index", "image_token_index", "initializer_range" })
            _ = reader.Find(key);
        reader.Require("tie_word_embeddings", "true");
        JsonObjectReader text = reader.GetObject("text_config");
        text.Require(ModelTypeKey, $"\"{TextType}\"");
        LlamaArchitecture architecture = new(LlamaConfigurationFile.Read(text, LlamaFamily.All[TextType]), isPart: true);
        RefuseOtherKeys(text);
        return architecture;
    }

    private static void RefuseOtherKeys(JsonObjectReader reader)
    {
        foreach ((string key, string value) in HuggingFaceKeys.OnlyValue)
            reader.Require(key, value);
        reader.RefuseUnread(HuggingFaceKeys.Harmless);
    }

    private static string NameOf(ScalarType type) => type switch
    {
        ScalarType.Float64 => "float64",
        ScalarType.Float32 => "float32",
        ScalarType.BFloat16 => "bfloat16",
        ScalarType.Float16 => "float16",
        _ => throw new NotSupportedException($"Weights of type {type} cannot be written."),
    };
}
