using System.Text.Json.Nodes;
using MLNetExtension.Files;
using MLNetExtension.Models;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Llama;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>The keys of Llama and its relatives in <c>config.json</c>.</summary>
internal static class LlamaConfigurationFile
{
    // Far more than any model has: lists with an entry for each layer are made before the weights show how many there are.
    private const int MaximumLayers = 10_000;

    /// <summary>Reads the keys.</summary>
    /// <exception cref="InvalidDataException">The numbers contradict one another.</exception>
    public static LlamaConfiguration Read(JsonObjectReader reader, LlamaFamily family)
    {
        int layers = reader.GetInteger("num_hidden_layers"), heads = reader.GetInteger("num_attention_heads"), width = reader.GetInteger("hidden_size");
        if (layers > MaximumLayers)
            throw new InvalidDataException($"{reader.Name}: 'num_hidden_layers' is {layers}, expected at most {MaximumLayers}.");
        int? headWidth = reader.FindInteger("head_dim") ?? family.HeadWidth;
        if (headWidth is null && width % heads != 0)
            throw new InvalidDataException($"{reader.Name}: 'num_attention_heads' is {heads}, which does not divide 'hidden_size', {width}, and there is no 'head_dim'.");
        if (headWidth is { } odd && odd % 2 != 0)
            throw new InvalidDataException($"{reader.Name}: 'head_dim' is {odd}, expected an even number: coordinates are rotated in pairs.");
        // Written as null, it means the number of query heads; not written, the family's default.
        int keyValueHeads = reader.FindInteger("num_key_value_heads") ?? (reader.Contains("num_key_value_heads") ? heads : family.KeyValueHeads ?? heads);
        if (heads % keyValueHeads != 0)
            throw new InvalidDataException($"{reader.Name}: by 'num_key_value_heads', KeyValueHeads is {keyValueHeads}, which does not divide the {heads} Heads.");
        int experts = family.HasExperts ? reader.GetInteger("num_local_experts", 8) : 0;
        int[] unrotated = family.HasUnrotatedLayers ? LlamaLayerKeys.ReadUnrotated(reader, layers) : [];
        (int? window, int[]? sliding) = LlamaLayerKeys.ReadWindow(reader, family, layers, unrotated);
        bool attentionBias = family.HasAttentionBiasKey && reader.GetBoolean("attention_bias", false);
        int contextLength = reader.GetInteger("max_position_embeddings");
        (double theta, RotaryScaling? scaling) = RotaryScalingFile.Read(reader, family.RotaryBase, contextLength);
        if (family.HasExperts)
            reader.Require("router_jitter_noise", "0.0");
        LlamaConfiguration configuration = new()
        {
            ModelType = family.ModelType,
            VocabularySize = reader.GetInteger("vocab_size"),
            ContextLength = contextLength,
            Layers = layers,
            Width = width,
            FeedForwardWidth = reader.GetInteger("intermediate_size"),
            Heads = heads,
            KeyValueHeads = keyValueHeads,
            HeadWidth = headWidth ?? width / heads,
            Activation = reader.GetChoice("hidden_act", ActivationNames.All, "silu"),
            NormEpsilon = reader.GetNumber("rms_norm_eps", SafeRanges.NormEpsilon, family.NormEpsilon),
            TiedHead = reader.GetBoolean("tie_word_embeddings", family.TiedHead),
            QueryKeyValueBias = family.QueryKeyValueBias || attentionBias,
            AttentionOutputBias = attentionBias,
            FeedForwardBias = family.HasFeedForwardBiasKey && reader.GetBoolean("mlp_bias", false),
            QueryKeyNorm = family.QueryKeyNorm,
            RotaryBase = theta,
            RotaryScaling = scaling,
            UnrotatedLayers = unrotated,
            SlidingWindow = window,
            SlidingLayers = sliding,
            AttentionDropout = reader.GetNumber("attention_dropout", NumberRange.Share, 0),
            InitialStandardDeviation = reader.GetNumber("initializer_range", SafeRanges.StandardDeviation, 0.02),
            Experts = experts,
            ExpertsPerToken = family.HasExperts ? reader.GetInteger("num_experts_per_tok", 2, maximum: experts) : 2,
            // Hugging Face's Mixtral adds the balance loss only where it is to return the router's logits.
            RouterBalanceCoefficient = family.HasExperts && reader.GetBoolean("output_router_logits", false) ? reader.GetNumber("router_aux_loss_coef", SafeRanges.Coefficient, 0.001) : 0,
        };
        try
        {
            configuration.Validate();
        }
        catch (ArgumentException exception)
        {
            throw new InvalidDataException($"{reader.Name}: {exception.Message}", exception);
        }
        return configuration;
    }

    /// <summary>Writes the keys.</summary>
    /// <exception cref="NotSupportedException">The configuration's model type is not known.</exception>
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
        json["hidden_act"] = ActivationNames.Find(configuration.Activation);
        json["rms_norm_eps"] = configuration.NormEpsilon;
        json["tie_word_embeddings"] = configuration.TiedHead;
        json["attention_dropout"] = configuration.AttentionDropout;
        json["initializer_range"] = configuration.InitialStandardDeviation;
        RotaryScalingFile.Write(configuration, json);
        if (family.HasAttentionBiasKey)
            json["attention_bias"] = configuration.AttentionOutputBias;
        if (family.HasFeedForwardBiasKey)
            json["mlp_bias"] = configuration.FeedForwardBias;
        if (family.HasExperts)
        {
            json["num_local_experts"] = configuration.Experts;
            json["num_experts_per_tok"] = configuration.ExpertsPerToken;
        }
        LlamaLayerKeys.Write(configuration, family, json);
    }
}
