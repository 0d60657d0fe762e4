using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Lora;

namespace MLNetExtension.Formats.Onnx;

/// <summary>GPT-2 as a graph.</summary>
internal static class Gpt2Graph
{
    /// <summary>Builds the graph.</summary>
    /// <param name="configuration">Sizes and options.</param>
    /// <param name="weights">The model's weights.</param>
    /// <param name="dataFileName">Name of the file with the weights.</param>
    public static OnnxGraph Build(Gpt2Configuration configuration, MergedWeights weights, string dataFileName)
    {
        int heads = configuration.Heads;
        DecoderGraph decoder = new(weights, new HeadCounts(heads, heads), configuration.Width / heads, dataFileName);
        OnnxGraph graph = decoder.Graph;
        graph.Scope = "embedding/";
        OnnxValue hidden = graph.Add(decoder.Embed("wte"), graph.Gather(decoder.Weight("wpe"), decoder.Positions));
        for (int layer = 0; layer < configuration.Layers; layer++)
        {
            string block = $"h.{layer}.";
            graph.Scope = $"h.{layer}/";
            hidden = graph.Add(hidden, Attend(Normalize(hidden, block + "ln_1"), layer, block));
            hidden = graph.Add(hidden, FeedForward(Normalize(hidden, block + "ln_2"), block));
        }
        graph.Scope = "head/";
        decoder.End(Normalize(hidden, "ln_f"), configuration.TiedHead ? "wte" : "lm_head");
        return graph;

        OnnxValue Normalize(OnnxValue x, string norm) => graph.LayerNormalization(x, decoder.Weight(norm + ".weight"), decoder.Weight(norm + ".bias"), configuration.NormEpsilon);

        OnnxValue Attend(OnnxValue x, int layer, string block)
        {
            OnnxValue all = graph.Reshape(decoder.Linear(x, block + "c_attn"), 0, 0, 3 * heads, configuration.Width / heads);      // [B,T,3H,D]
            OnnxValue[] parts = graph.Split(all, 2, heads, heads, heads);
            return decoder.Linear(decoder.Attend(layer, parts[0], parts[1], parts[2]), block + "c_proj");
        }

        OnnxValue FeedForward(OnnxValue x, string block) => configuration.Experts == 0
            ? Expert(x, block + "mlp")
            : decoder.MixExperts(x, new ExpertMixture(block + "moe", configuration.Experts, configuration.ExpertsPerToken, WeightsSumToOne: false), Expert);

        OnnxValue Expert(OnnxValue x, string network) => decoder.Linear(graph.Activate(configuration.Activation, decoder.Linear(x, network + ".c_fc")), network + ".c_proj");
    }
}
