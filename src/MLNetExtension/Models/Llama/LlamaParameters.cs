namespace MLNetExtension.Models.Llama;

/// <summary>The parameters of a Llama, known from its configuration alone.</summary>
internal static class LlamaParameters
{
    /// <summary>Lists the parameters, with their shapes, under the names of the model's modules. One by one: a description may claim any number of layers and experts.</summary>
    public static IEnumerable<(string Name, long[] Shape)> List(LlamaConfiguration configuration)
    {
        yield return ("embed_tokens", [configuration.VocabularySize, configuration.Width]);
        for (int layer = 0; layer < configuration.Layers; layer++)
        {
            string block = $"layers.{layer}.";
            foreach (string norm in NormsOf(configuration))
                yield return ($"{block}{norm}.weight", [configuration.Width]);
            foreach (var parameter in ListAttention(configuration, block + "attention."))
                yield return parameter;
            foreach (var parameter in configuration.ExpertsOf(layer) == 0 ? ListFeedForward(configuration, configuration.FeedForwardWidth, block + "mlp.") : ListExperts(configuration, block + "moe."))
                yield return parameter;
        }
        yield return ("norm.weight", [configuration.Width]);
        if (!configuration.TiedHead)
            yield return ("lm_head", [configuration.VocabularySize, configuration.Width]);
    }

    private static IEnumerable<string> NormsOf(LlamaConfiguration configuration) =>
    [
        .. configuration.HasInputNorms ? ["attention_norm", "feed_forward_norm"] : Array.Empty<string>(),
        .. configuration.HasOutputNorms ? ["attention_output_norm", "feed_forward_output_norm"] : Array.Empty<string>(),
    ];

    private static IEnumerable<(string Name, long[] Shape)> ListAttention(LlamaConfiguration configuration, string attention)
    {
        long queries = (long)configuration.Heads * configuration.HeadWidth, keys = (long)configuration.KeyValueHeads * configuration.HeadWidth;
        foreach (var parameter in ListLinear(attention + "qkv", configuration.Width, queries + 2 * keys, configuration.QueryKeyValueBias))
            yield return parameter;
        foreach (var parameter in ListLinear(attention + "output", queries, configuration.Width, configuration.AttentionOutputBias))
            yield return parameter;
        if (!configuration.QueryKeyNorm)
            yield break;
        yield return (attention + "q_norm.weight", [configuration.QueryNormWidth]);
        yield return (attention + "k_norm.weight", [configuration.KeyNormWidth]);
    }

    private static IEnumerable<(string Name, long[] Shape)> ListExperts(LlamaConfiguration configuration, string mixture)
    {
        yield return (mixture + "router.weight", [configuration.Experts, configuration.Width]);
        for (int expert = 0; expert < configuration.Experts; expert++)
        {
            foreach (var parameter in ListFeedForward(configuration, configuration.ExpertWidth, $"{mixture}experts.{expert}."))
                yield return parameter;
        }
    }

    private static IEnumerable<(string Name, long[] Shape)> ListFeedForward(LlamaConfiguration configuration, int width, string network) =>
    [
        .. ListLinear(network + "gate_up", configuration.Width, 2L * width, configuration.FeedForwardBias),
        .. ListLinear(network + "down", width, configuration.Width, configuration.FeedForwardBias),
    ];

    private static IEnumerable<(string Name, long[] Shape)> ListLinear(string layer, long inputs, long outputs, bool hasBias) =>
        hasBias ? [(layer + ".weight", [outputs, inputs]), (layer + ".bias", [outputs])] : [(layer + ".weight", [outputs, inputs])];
}
