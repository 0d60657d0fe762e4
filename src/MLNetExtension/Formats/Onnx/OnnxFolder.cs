using System.Text.Json;
using System.Text.Json.Nodes;
using MLNetExtension.Files;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Llama;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tokenization;

namespace MLNetExtension.Formats.Onnx;

/// <summary>A model as ONNX Runtime reads it: <c>model.onnx</c>, its weights in <c>model.onnx.data</c>, and beside them what ONNX Runtime GenAI reads: <c>genai_config.json</c> and the tokenizer's files.</summary>
internal static class OnnxFolder
{
    public const string ModelFileName = "model.onnx", DataFileName = "model.onnx.data";

    private const string TokenizerFileName = "tokenizer.json", TokenizerConfigurationFileName = "tokenizer_config.json";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    // Those whose every option the graph has.
    private static readonly string[] LlamaTypes = ["llama", "mistral", "mixtral", "qwen2", "qwen3", "smollm3"];

    /// <summary>Writes a model. Its adapters are merged into what is written; the model does not change. An interrupted save leaves the old files or no <c>model.onnx</c>.</summary>
    /// <param name="model">A <see cref="Gpt2Model"/> or a <see cref="LlamaModel"/>; its weights may be on any device and are written as float32.</param>
    /// <param name="tokens">Special tokens.</param>
    /// <param name="tokenizer">The tokenizer's files; none for a model of token ids.</param>
    /// <param name="folder">The folder; created if it is missing.</param>
    /// <exception cref="NotSupportedException">The model is of another class or type; nothing is written.</exception>
    public static void Save(CausalLanguageModel model, SpecialTokens tokens, IReadOnlyList<TokenizerFile> tokenizer, string folder)
    {
        (OnnxGraph graph, JsonObject configuration) = Describe(model, tokens);
        using StagedFiles files = StagedFiles.CreateIn(folder);
        files.Write(DataFileName, graph.WriteData);
        files.Write(ModelFileName, graph.WriteModel);
        files.Write(GenAIConfiguration.FileName, stream => JsonSerializer.Serialize(stream, configuration, Indented));
        foreach (TokenizerFile file in WithConfiguration(tokenizer))
            files.Write(file.Name, stream => stream.Write(file.Content.Span));
        files.MoveInto(folder, marker: ModelFileName, isStale: _ => false);
    }

    private static (OnnxGraph, JsonObject) Describe(CausalLanguageModel model, SpecialTokens tokens)
    {
        MergedWeights weights = new(model);
        return model switch
        {
            Gpt2Model gpt2 => (Gpt2Graph.Build(gpt2.Configuration, weights, DataFileName), GenAIConfiguration.Create(gpt2.Configuration, tokens)),
            LlamaModel llama => (LlamaGraph.Build(RequireKnown(llama.Configuration), weights, DataFileName), GenAIConfiguration.Create(llama.Configuration, tokens)),
            _ => throw new NotSupportedException($"A model of the class {model.GetType().Name} cannot be written as ONNX; known are {nameof(Gpt2Model)} and {nameof(LlamaModel)}."),
        };
    }

    private static LlamaConfiguration RequireKnown(LlamaConfiguration configuration)
    {
        if (!LlamaTypes.Contains(configuration.ModelType))
            throw new NotSupportedException($"A model of the type '{configuration.ModelType}' cannot be written as ONNX; known are gpt2, {string.Join(", ", LlamaTypes)}.");
        if (configuration.RotaryScaling is not (null or RotaryScaling.Linear or RotaryScaling.Dynamic or RotaryScaling.Llama3 or RotaryScaling.Yarn))
            throw new NotSupportedException($"The rotary scaling {configuration.RotaryScaling.GetType().Name} cannot be written as ONNX; known are linear, dynamic, llama3 and yarn.");
        return configuration;
    }

    // ONNX Runtime GenAI opens no tokenizer.json without the other; any class of Python's library that has its tokenizer in that file will do.
    private static IEnumerable<TokenizerFile> WithConfiguration(IReadOnlyList<TokenizerFile> files) =>
        files.Any(file => file.Name == TokenizerFileName) && files.All(file => file.Name != TokenizerConfigurationFileName)
            ? files.Append(new TokenizerFile(TokenizerConfigurationFileName, "{ \"tokenizer_class\": \"PreTrainedTokenizerFast\" }"u8.ToArray()))
            : files;
}
