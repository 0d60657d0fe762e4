using System.Text.Json.Nodes;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Llama;

namespace MLNetExtension.Formats.Onnx;

/// <summary>Makes <c>genai_config.json</c>, by which ONNX Runtime GenAI knows what a graph's inputs are and when a text ends.</summary>
internal static class GenAIConfiguration
{
    public const string FileName = "genai_config.json";

    // GenAI's own name for transformers with one cache tensor each of keys and of values; its "gpt2" has both in one.
    private const string AnyDecoder = "decoder";

    // Of those that can be written here. The type does not change what is computed; GenAI looks up names of tool and thought tokens by it.
    private static readonly string[] KnownTypes = ["llama", "mistral", "qwen2", "qwen3", "smollm3"];

    public static JsonObject Create(Gpt2Configuration configuration, SpecialTokens tokens) => Create(
        new Sizes(AnyDecoder, configuration.VocabularySize, configuration.ContextLength),
        new JsonObject
        {
            ["num_hidden_layers"] = configuration.Layers,
            ["hidden_size"] = configuration.Width,
            ["num_attention_heads"] = configuration.Heads,
            ["num_key_value_heads"] = configuration.Heads,
            ["head_size"] = configuration.Width / configuration.Heads,
        },
        tokens);

    public static JsonObject Create(LlamaConfiguration configuration, SpecialTokens tokens) => Create(
        new Sizes(KnownTypes.Contains(configuration.ModelType) ? configuration.ModelType : AnyDecoder, configuration.VocabularySize, configuration.ContextLength),
        new JsonObject
        {
            ["num_hidden_layers"] = configuration.Layers,
            ["hidden_size"] = configuration.Width,
            ["num_attention_heads"] = configuration.Heads,
            ["num_key_value_heads"] = configuration.KeyValueHeads,
            ["head_size"] = configuration.HeadWidth,
        },
        tokens);

    private static JsonObject Create(Sizes sizes, JsonObject decoder, SpecialTokens tokens)
    {
        decoder["filename"] = OnnxFolder.ModelFileName;
        decoder["session_options"] = new JsonObject { ["provider_options"] = new JsonArray() };
        decoder["inputs"] = new JsonObject
        {
            ["input_ids"] = DecoderGraph.Ids,
            ["attention_mask"] = DecoderGraph.AttentionMask,
            ["past_key_names"] = "past_key_values.%d.key",
            ["past_value_names"] = "past_key_values.%d.value",
        };
        decoder["outputs"] = new JsonObject
        {
            ["logits"] = DecoderGraph.Logits,
            ["present_key_names"] = "present.%d.key",
            ["present_value_names"] = "present.%d.value",
        };
        return new JsonObject
        {
            ["model"] = new JsonObject
            {
                ["type"] = sizes.Type,
                ["vocab_size"] = sizes.VocabularySize,
                ["context_length"] = sizes.ContextLength,
                ["bos_token_id"] = tokens.BeginId ?? tokens.EndIds[0],
                ["eos_token_id"] = new JsonArray([.. tokens.EndIds.Select(id => (JsonNode)id)]),
                ["pad_token_id"] = tokens.PaddingId ?? tokens.EndIds[0],
                ["decoder"] = decoder,
            },
            // The past is given anew with each call, so it cannot be one buffer of the longest length.
            ["search"] = new JsonObject { ["do_sample"] = false, ["max_length"] = sizes.ContextLength, ["past_present_share_buffer"] = false },
        };
    }

    private sealed record Sizes(string Type, int VocabularySize, int ContextLength);
}
