namespace MLNetExtension.Models.Gpt2;

/// <summary>The parameters of a GPT-2, known from its configuration alone.</summary>
internal static class Gpt2Parameters
{
    /// <summary>Lists the parameters, with their shapes, under the names of the model's modules. One by one: a description may claim any number of layers and experts.</summary>
    public static IEnumerable<(string Name, long[] Shape)> List(Gpt2Configuration configuration)
    {
        yield return ("wte", [configuration.VocabularySize, configuration.Width]);
        yield return ("wpe", [configuration.ContextLength, configuration.Width]);
        for (int layer = 0; layer < configuration.Layers; layer++)
        {
            foreach (var parameter in ListBlock(configuration, $"h.{layer}."))
                yield return parameter;
        }
        yield return ("ln_f.weight", [configuration.Width]);
        yield return ("ln_f.bias", [configuration.Width]);
        if (!configuration.TiedHead)
            yield return ("lm_head", [configuration.VocabularySize, configuration.Width]);
    }

    private static IEnumerable<(string Name, long[] Shape)> ListBlock(Gpt2Configuration configuration, string block)
    {
        foreach (var parameter in (string[])["ln_1.weight", "ln_1.bias", "ln_2.weight", "ln_2.bias"])
            yield return (block + parameter, [configuration.Width]);
        IEnumerable<(string, long[])> feedForward = configuration.Experts == 0 ? ListFeedForward(configuration, block + "mlp.") : ListExperts(configuration, block + "moe.");
        foreach (var parameter in ListLinear(block + "c_attn", configuration.Width, 3L * configuration.Width).Concat(ListLinear(block + "c_proj", configuration.Width, configuration.Width)).Concat(feedForward))
            yield return parameter;
    }

    private static IEnumerable<(string, long[])> ListExperts(Gpt2Configuration configuration, string mixture)
    {
        foreach (var parameter in ListLinear(mixture + "router", configuration.Width, configuration.Experts))
            yield return parameter;
        for (int expert = 0; expert < configuration.Experts; expert++)
        {
            foreach (var parameter in ListFeedForward(configuration, $"{mixture}experts.{expert}."))
                yield return parameter;
        }
    }

    private static IEnumerable<(string, long[])> ListFeedForward(Gpt2Configuration configuration, string network) => [.. ListLinear(network + "c_fc", configuration.Width, configuration.InnerWidth), .. ListLinear(network + "c_proj", configuration.InnerWidth, configuration.Width)];

    private static IEnumerable<(string, long[])> ListLinear(string layer, long inputs, long outputs) => [(layer + ".weight", [outputs, inputs]), (layer + ".bias", [outputs])];
}
