using System.Text.Json;
using System.Text.Json.Nodes;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Llama;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>The keys of Llama and its relatives in <c>config.json</c>.</summary>
internal static class LlamaConfigurationFile
{
    private const int UsualUpperLayers = 28, UsualUnrotatedInterval = 4;
    // Far past any model: lists of layers are made before the weights show how many there are.
    private const int MostLayers = 10_000;
    private const string Sliding = "sliding_attention", Full = "full_attention";

    public static LlamaConfiguration Read(ConfigurationReader reader, string type)
    {
        LlamaFamily family = LlamaFamily.All[type];
        int layers = reader.Whole("num_hidden_layers"), heads = reader.Whole("num_attention_heads"), width = reader.Whole("hidden_size");
        if (layers > MostLayers)
            throw new InvalidDataException($"{reader.Where}: 'num_hidden_layers' is {layers}, expected at most {MostLayers}.");
        int[] unrotated = type == "smollm3" ? Unrotated(reader, layers) : [];
        (int? window, int[]? sliding) = Window(reader, family, layers, unrotated);
        bool attentionBias = family.KnowsBiases && reader.Flag("attention_bias", false);
        int contextLength = reader.Whole("max_position_embeddings");
        (double theta, RotaryScaling? scaling) = RotaryScalingFile.Read(reader, family.RotaryBase, contextLength);
        if (type == "mixtral")
            reader.MustBe("router_jitter_noise", "0.0");
        LlamaConfiguration configuration = new()
        {
            ModelType = type,
            VocabularySize = reader.Whole("vocab_size"),
            ContextLength = contextLength,
            Layers = layers,
            Width = width,
            FeedForwardWidth = reader.Whole("intermediate_size"),
            Heads = heads,
            // Written as null, it means as many as of queries; not written, what the family takes.
            KeyValueHeads = reader.WholeOrNull("num_key_value_heads") ?? (reader.Says("num_key_value_heads") ? heads : family.KeyValueHeads ?? heads),
            HeadWidth = reader.WholeOrNull("head_dim") ?? family.HeadWidth ?? width / heads,
            Activation = reader.Choice("hidden_act", ActivationNames.All, "silu"),
            NormEpsilon = reader.Number("rms_norm_eps", family.NormEpsilon),
            TiedHead = reader.Flag("tie_word_embeddings", family.TiedHead),
            QueryKeyValueBias = family.QueryKeyValueBias || attentionBias,
            AttentionOutputBias = attentionBias,
            FeedForwardBias = family.KnowsFeedForwardBias && reader.Flag("mlp_bias", false),
            QueryKeyNorm = family.QueryKeyNorm,
            RotaryBase = theta,
            RotaryScaling = scaling,
            UnrotatedLayers = unrotated,
            SlidingWindow = window,
            SlidingLayers = sliding,
            AttentionDropout = reader.Number("attention_dropout", 0),
            InitialStandardDeviation = reader.Number("initializer_range", 0.02),
            Experts = type == "mixtral" ? reader.Whole("num_local_experts", 8) : 0,
            ExpertsPerToken = type == "mixtral" ? reader.Whole("num_experts_per_tok", 2) : 2,
        };
        try
        {
            configuration.Validate();
        }
        catch (ArgumentException exception)
        {
            throw new InvalidDataException($"{reader.Where}: {exception.Message}", exception);
        }
        return configuration;
    }

    public static void Write(LlamaConfiguration configuration, JsonObject json)
    {
        if (!LlamaFamily.All.TryGetValue(configuration.ModelType, out LlamaFamily? family))
            throw new NotSupportedException($"'{configuration.ModelType}' is no model type of a Llama; known are: {string.Join(", ", LlamaFamily.All.Keys)}.");
        json["model_type"] = configuration.ModelType;
        json["architectures"] = new JsonArray(family.ClassName);
        json["vocab_size"] = configuration.VocabularySize;
        json["max_position_embeddings"] = configuration.ContextLength;
        json["num_hidden_layers"] = configuration.Layers;
        json["hidden_size"] = configuration.Width;
        json["intermediate_size"] = configuration.FeedForwardWidth;
        json["num_attention_heads"] = configuration.Heads;
        json["num_key_value_heads"] = configuration.KeyValueHeads;
        json["head_dim"] = configuration.HeadWidth;
        json["hidden_act"] = ActivationNames.Of(configuration.Activation);
        json["rms_norm_eps"] = configuration.NormEpsilon;
        json["tie_word_embeddings"] = configuration.TiedHead;
        json["attention_dropout"] = configuration.AttentionDropout;
        json["initializer_range"] = configuration.InitialStandardDeviation;
        RotaryScalingFile.Write(configuration, json);
        if (family.KnowsBiases)
            json["attention_bias"] = configuration.AttentionOutputBias;
        if (family.KnowsFeedForwardBias)
            json["mlp_bias"] = configuration.FeedForwardBias;
        if (configuration.ModelType == "smollm3")
            json["no_rope_layers"] = new JsonArray([.. Enumerable.Range(0, configuration.Layers).Select(layer => (JsonNode)(configuration.IsRotated(layer) ? 1 : 0))]);
        if (configuration.ModelType == "mixtral")
        {
            json["num_local_experts"] = configuration.Experts;
            json["num_experts_per_tok"] = configuration.ExpertsPerToken;
        }
        WriteWindow(configuration, family, json);
    }

    private static void WriteWindow(LlamaConfiguration configuration, LlamaFamily family, JsonObject json)
    {
        if (family.Window == LlamaFamily.WindowForm.None)
            return;
        json["sliding_window"] = configuration.SlidingWindow;
        if (family.Window == LlamaFamily.WindowForm.AllLayers)
            return;
        json["use_sliding_window"] = configuration.SlidingWindow is not null;
        json["layer_types"] = new JsonArray([.. Enumerable.Range(0, configuration.Layers).Select(layer => (JsonNode)(configuration.WindowOf(layer) is null ? Full : Sliding))]);
    }

    private static int[] Unrotated(ConfigurationReader reader, int layers)
    {
        int interval = reader.Whole("no_rope_layer_interval", UsualUnrotatedInterval);
        if (reader.PerLayer("no_rope_layers", layers) is not { } rotated)
            return [.. Enumerable.Range(0, layers).Where(layer => (layer + 1) % interval == 0)];
        return [.. Enumerable.Range(0, layers).Where(layer => rotated[layer].ToString() switch
        {
            "0" => true,
            "1" => false,
            _ => throw reader.Bad("no_rope_layers", rotated[layer], "0 or 1 for each layer"),
        })];
    }

    // The window and the layers that have it; null for all.
    private static (int? Window, int[]? Layers) Window(ConfigurationReader reader, LlamaFamily family, int layers, int[] unrotated)
    {
        if (family.Window == LlamaFamily.WindowForm.None)
            return (null, null);
        int? window = reader.WholeOrNull("sliding_window") ?? (reader.Says("sliding_window") ? null : family.SlidingWindow);
        if (family.Window == LlamaFamily.WindowForm.AllLayers)
            return (window, null);

        int from = reader.Whole("max_window_layers", UsualUpperLayers, least: 0);      // said by all, meant by those whose upper layers have the window
        IReadOnlyList<JsonElement>? types = reader.PerLayer("layer_types", layers);
        if (!reader.Flag("use_sliding_window", false))
            window = null;
        int[] sliding = types is not null ? [.. Enumerable.Range(0, layers).Where(layer => IsSliding(reader, types[layer]))]
            : window is null ? []
            : family.Window == LlamaFamily.WindowForm.UpperLayers ? [.. Enumerable.Range(0, layers).Where(layer => layer >= from)]
            : unrotated;
        return window is null && sliding.Length > 0
            ? throw new InvalidDataException($"{reader.Where}: 'layer_types' names layers with a sliding window, but 'use_sliding_window' and 'sliding_window' give none.")
            : (sliding.Length == 0 ? null : window, sliding.Length == 0 ? null : sliding);
    }

    private static bool IsSliding(ConfigurationReader reader, JsonElement type) => type.ToString() switch
    {
        Sliding => true,
        Full => false,
        _ => throw reader.Bad("layer_types", type, $"'{Full}' or '{Sliding}'"),
    };
}
