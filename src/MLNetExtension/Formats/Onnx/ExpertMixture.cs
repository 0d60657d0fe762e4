namespace MLNetExtension.Formats.Onnx;

/// <summary>A router and its experts, of which each token passes through some.</summary>
/// <param name="Name">The mixture's name in the model.</param>
/// <param name="Experts">E, the number of experts.</param>
/// <param name="PerToken">K, how many a token passes through.</param>
/// <param name="WeightsSumToOne">Whether a token's weights are its experts' probabilities among the K chosen or among all E.</param>
internal sealed record ExpertMixture(string Name, int Experts, int PerToken, bool WeightsSumToOne);

/// <summary>Adds mixtures of experts to graphs. Each expert computes only the tokens that are routed to it, which may be none. N tokens, n of an expert, C width.</summary>
internal static class ExpertMixtures
{
    /// <summary>Routes tokens to experts and adds up what these make of them, [B,T,C] to [B,T,C].</summary>
    /// <param name="decoder">The graph.</param>
    /// <param name="x">The input.</param>
    /// <param name="mixture">Router and experts.</param>
    /// <param name="expert">Adds the expert of a name in the model, [n,C] to [n,C].</param>
    public static OnnxValue MixExperts(this DecoderGraph decoder, OnnxValue x, ExpertMixture mixture, Func<OnnxValue, string, OnnxValue> expert)
    {
        OnnxGraph graph = decoder.Graph;
        OnnxValue width = graph.Size(x, 2);
        OnnxValue tokens = graph.Reshape(x, graph.Concat(0, [graph.Integers(-1), width]));                                          // [N,C]
        OnnxValue probabilities = graph.Softmax(decoder.Linear(tokens, mixture.Name + ".router"));                                  // [N,E]
        (OnnxValue weights, OnnxValue selected) = graph.TopK(probabilities, mixture.PerToken);                                      // [N,K]
        if (mixture.WeightsSumToOne)
            weights = graph.Div(weights, graph.ReduceSum(weights));
        OnnxValue mixed = graph.Zeros(graph.Shape(tokens));
        for (int e = 0; e < mixture.Experts; e++)
        {
            OnnxValue chosen = graph.Transpose(graph.NonZero(graph.Equal(selected, graph.Integer(e))), 1, 0);                       // [n,2]: token, rank
            OnnxValue token = graph.Split(chosen, 1, 1, 1)[0];                                                                      // [n,1]
            OnnxValue output = expert(graph.GatherND(tokens, token), $"{mixture.Name}.experts.{e}");                                // [n,C]
            mixed = graph.ScatterAdd(mixed, token, graph.Mul(output, graph.Unsqueeze(graph.GatherND(weights, chosen), 1)));
        }
        return graph.Reshape(mixed, graph.Shape(x));
    }
}
