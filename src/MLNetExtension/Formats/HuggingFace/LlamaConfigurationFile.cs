using System.Text.Json.Nodes;
using MLNetExtension.Files;
using MLNetExtension.Models;
using MLNetExtension.Models.Llama;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>The keys of Llama and its relatives in <c>config.json</c>.</summary>
internal static class LlamaConfigurationFile
{
    // Far more than any model has: lists with an entry for each layer are made before the weights show how many there are.
    private const int MaximumLayers = 10_000;

    private const string ScoreScalarKey = "query_pre_attn_scalar", ScoreCapKey = "attn_logit_softcapping", LogitCapKey = "final_logit_softcapping";

    /// <summary>Reads the keys.</summary>
    /// <exception cref="InvalidDataException">The numbers contradict one another.</exception>
    public static LlamaConfiguration Read(JsonObjectReader reader, LlamaFamily family)
    {
        int layers = reader.GetInteger("num_hidden_layers"), heads = reader.GetInteger("num_attention_heads", family.Heads), width = reader.GetInteger("hidden_size");
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
        bool attentionBias = family.HasAttentionBiasKey && reader.GetBoolean("attention_bias", false);
        LlamaConfiguration configuration = new()
        {
            ModelType = family.ModelType,
            VocabularySize = reader.GetInteger("vocab_size", family.VocabularySize),
            ContextLength = reader.GetInteger("max_position_embeddings", family.ContextLength),
            Layers = layers,
            Width = width,
            FeedForwardWidth = reader.GetInteger("intermediate_size"),
            Heads = heads,
            KeyValueHeads = keyValueHeads,
            HeadWidth = headWidth ?? width / heads,
            Activation = reader.GetChoice(family.ActivationKey, ActivationNames.All, family.ActivationName),
            Norms = family.Norms,
            NormsAddOne = family.NormsAddOne,
            NormEpsilon = reader.GetNumber("rms_norm_eps", SafeRanges.NormEpsilon, family.NormEpsilon),
            ScalesEmbedding = family.ScalesEmbedding,
            TiedHead = reader.GetBoolean("tie_word_embeddings", family.TiedHead),
            QueryKeyValueBias = family.QueryKeyValueBias || attentionBias,
            AttentionOutputBias = attentionBias,
            FeedForwardBias = family.HasFeedForwardBiasKey && reader.GetBoolean("mlp_bias", false),
            QueryKeyNorm = family.QueryKeyNorm,
            QueryKeyNormSpansHeads = family.QueryKeyNormSpansHeads,
            AttentionDropout = reader.GetNumber("attention_dropout", NumberRange.Share, 0),
            InitialStandardDeviation = reader.GetNumber("initializer_range", SafeRanges.StandardDeviation, 0.02),
        };
        foreach ((string key, string value) in family.OnlyValue)
            reader.Require(key, value);
        foreach (string key in family.Ignored)
            _ = reader.Find(key);
        configuration = ReadCaps(reader, family, LlamaLayerKeys.Read(reader, family, RotaryScalingFile.Read(reader, family, configuration)));
        if (family.Experts is { } experts)
            configuration = experts.Read(reader, configuration);
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
        json[family.ActivationKey] = ActivationNames.All[family.ActivationName] == configuration.Activation ? family.ActivationName : ActivationNames.Find(configuration.Activation);
        json["rms_norm_eps"] = configuration.NormEpsilon;
        json["tie_word_embeddings"] = configuration.TiedHead;
        json["attention_dropout"] = configuration.AttentionDropout;
        json["initializer_range"] = configuration.InitialStandardDeviation;
        RotaryScalingFile.Write(configuration, family, json);
        if (family.HasAttentionBiasKey)
            json["attention_bias"] = configuration.AttentionOutputBias;
        if (family.HasFeedForwardBiasKey)
            json["mlp_bias"] = configuration.FeedForwardBias;
        if (family.ScoreScalar is not null)
        {
            json[ScoreScalarKey] = configuration.ScoreScalar;
            json[ScoreCapKey] = RotaryScalingFile.Float(configuration.ScoreCap);
            json[LogitCapKey] = RotaryScalingFile.Float(configuration.LogitCap);
        }
        family.Experts?.Write(configuration, json);
        LlamaLayerKeys.Write(configuration, family, json);
    }

    private static LlamaConfiguration ReadCaps(JsonObjectReader reader, LlamaFamily family, LlamaConfiguration configuration)
    {
        if (family.ScoreScalar is not { } defaultScalar)
            return configuration;
        // Written as null, there is no cap; not written, the family's default. Gemma 3's code takes a cap of scores and leaves it out.
        if (family.ScoreCap is null)
            reader.Require(ScoreCapKey, "null");
        return configuration with
        {
            ScoreScalar = reader.GetNumber(ScoreScalarKey, SafeRanges.Scaling, defaultScalar),
            ScoreCap = reader.FindNumber(ScoreCapKey, SafeRanges.Scaling) ?? (reader.Contains(ScoreCapKey) ? null : family.ScoreCap),
            LogitCap = reader.FindNumber(LogitCapKey, SafeRanges.Scaling) ?? (reader.Contains(LogitCapKey) ? null : family.LogitCap),
        };
    }
}
