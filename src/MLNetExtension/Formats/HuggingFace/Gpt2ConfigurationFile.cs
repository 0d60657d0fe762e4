using System.Text.Json.Nodes;
using MLNetExtension.Models.Gpt2;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>GPT-2's keys in <c>config.json</c>.</summary>
internal static class Gpt2ConfigurationFile
{
    // What the published models were trained with, and what Hugging Face's code takes where a file is silent.
    private const double UsualDropout = 0.1;

    public static Gpt2Configuration Read(ConfigurationReader reader)
    {
        int width = reader.Whole("n_embd"), heads = reader.Whole("n_head");
        if (width % heads != 0)
            throw new InvalidDataException($"{reader.Where}: 'n_head' is {heads}, which does not divide 'n_embd', {width}.");
        double dropout = Share(reader, "resid_pdrop"), embeddingDropout = Share(reader, "embd_pdrop");
        if (dropout != embeddingDropout)
            throw new NotSupportedException($"{reader.Where}: 'embd_pdrop' is {embeddingDropout} and 'resid_pdrop' {dropout}; only equal ones are supported.");
        reader.MustBe("scale_attn_weights", "true");
        reader.MustBe("scale_attn_by_inverse_layer_idx", "false");
        reader.MustBe("reorder_and_upcast_attn", "false");
        _ = reader.NumberOrNull("initializer_range");       // how weights began, before they were what the file holds
        return new Gpt2Configuration(
            reader.Whole("vocab_size"),
            reader.Whole("n_positions"),
            reader.Whole("n_layer"),
            heads,
            width,
            dropout,
            FeedForwardWidth: reader.WholeOrNull("n_inner") ?? 0,
            Activation: reader.Choice("activation_function", ActivationNames.All, "gelu_new"),
            NormEpsilon: reader.Number("layer_norm_epsilon", 1e-5),
            AttentionDropout: Share(reader, "attn_pdrop"),
            TiedHead: reader.Flag("tie_word_embeddings", true));
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
        json["activation_function"] = ActivationNames.Of(configuration.Activation);
        json["layer_norm_epsilon"] = configuration.NormEpsilon;
        json["resid_pdrop"] = configuration.Dropout;
        json["embd_pdrop"] = configuration.Dropout;
        json["attn_pdrop"] = configuration.AttentionDropout;
        json["tie_word_embeddings"] = configuration.TiedHead;
    }

    private static double Share(ConfigurationReader reader, string key)
    {
        double share = reader.Number(key, UsualDropout);
        return share is >= 0 and < 1 ? share : throw new InvalidDataException($"{reader.Where}: '{key}' is {share}, expected 0 to below 1.");
    }
}
