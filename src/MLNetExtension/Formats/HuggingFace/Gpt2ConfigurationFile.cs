using System.Text.Json.Nodes;
using MLNetExtension.Files;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>GPT-2's keys in <c>config.json</c>.</summary>
internal static class Gpt2ConfigurationFile
{
    // What the published models were trained with, and Hugging Face's default.
    private const double DefaultDropout = 0.1;

    public static Gpt2Configuration Read(JsonObjectReader reader)
    {
        int width = reader.GetInteger("n_embd", maximum: Gpt2Configuration.MaximumWidth), heads = reader.GetInteger("n_head");
        if (width % heads != 0)
            throw new InvalidDataException($"{reader.Name}: 'n_head' is {heads}, which does not divide 'n_embd', {width}.");
        double dropout = ReadShare(reader, "resid_pdrop"), embeddingDropout = ReadShare(reader, "embd_pdrop");
        if (dropout != embeddingDropout)
            throw new NotSupportedException($"{reader.Name}: 'embd_pdrop' is {embeddingDropout} and 'resid_pdrop' {dropout}; only equal ones are supported.");
        reader.Require("scale_attn_weights", "true");
        reader.Require("scale_attn_by_inverse_layer_idx", "false");
        reader.Require("reorder_and_upcast_attn", "false");
        _ = reader.FindNumber("initializer_range", SafeRanges.StandardDeviation);       // it matters only to a model without weights
        return new Gpt2Configuration(
            reader.GetInteger("vocab_size"),
            reader.GetInteger("n_positions"),
            reader.GetInteger("n_layer"),
            heads,
            width,
            dropout,
            FeedForwardWidth: reader.FindInteger("n_inner") ?? 0,
            Activation: reader.GetChoice("activation_function", ActivationNames.All, "gelu_new"),
            NormEpsilon: reader.GetNumber("layer_norm_epsilon", SafeRanges.NormEpsilon, 1e-5),
            AttentionDropout: ReadShare(reader, "attn_pdrop"),
            TiedHead: reader.GetBoolean("tie_word_embeddings", true));
    }

    public static void Write(Gpt2Configuration configuration, JsonObject json)
    {
        if (configuration.Experts > 0)
            throw new NotSupportedException("A GPT-2 with experts has no form in Hugging Face's files.");
        json["model_type"] = "gpt2";
        json["architectures"] = new JsonArray("GPT2LMHeadModel");
        json["vocab_size"] = configuration.VocabularySize;
        json["n_positions"] = configuration.ContextLength;
        json["n_layer"] = configuration.Layers;
        json["n_head"] = configuration.Heads;
        json["n_embd"] = configuration.Width;
        json["n_inner"] = configuration.FeedForwardWidth == 0 ? null : configuration.FeedForwardWidth;
        json["activation_function"] = ActivationNames.Find(configuration.Activation);
        json["layer_norm_epsilon"] = configuration.NormEpsilon;
        json["resid_pdrop"] = configuration.Dropout;
        json["embd_pdrop"] = configuration.Dropout;
        json["attn_pdrop"] = configuration.AttentionDropout;
        json["tie_word_embeddings"] = configuration.TiedHead;
    }

    private static double ReadShare(JsonObjectReader reader, string key) => reader.GetNumber(key, NumberRange.Share, DefaultDropout);
}
