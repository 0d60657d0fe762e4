using MLNetExtension.Models;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Llama;
using MLNetExtension.Models.Lora;
using MLNetExtension.Safetensors;
using static TorchSharp.torch;

namespace MLNetExtension.Formats.Onnx;

/// <summary>Llama and its relatives as a graph. B rows, T positions, H heads of queries, G of keys and of values, D width of a head.</summary>
internal sealed class LlamaGraph
{
    private readonly LlamaConfiguration _configuration;
    private readonly DecoderGraph _decoder;
    private readonly OnnxGraph _graph;
    private readonly OnnxValue _cosines, _sines;     // [B,T,1,D/2]

    private LlamaGraph(LlamaConfiguration configuration, MergedWeights weights, string dataFileName)
    {
        _configuration = configuration;
        _decoder = new DecoderGraph(weights, new HeadCounts(configuration.Heads, configuration.KeyValueHeads), configuration.HeadWidth, dataFileName);
        _graph = _decoder.Graph;
        _graph.Scope = "rotation/";
        _cosines = FindRotation("rotation.cosines", isSine: false);
        _sines = FindRotation("rotation.sines", isSine: true);
    }

    /// <summary>Builds the graph.</summary>
    /// <param name="configuration">Sizes and options.</param>
    /// <param name="weights">The model's weights.</param>
    /// <param name="dataFileName">Name of the file with the weights.</param>
    public static OnnxGraph Build(LlamaConfiguration configuration, MergedWeights weights, string dataFileName)
    {
        LlamaGraph llama = new(configuration, weights, dataFileName);
        llama.Build();
        return llama._graph;
    }

    private void Build()
    {
        _graph.Scope = "embedding/";
        OnnxValue hidden = _decoder.Embed("embed_tokens");
        for (int layer = 0; layer < _configuration.Layers; layer++)
        {
            string block = $"layers.{layer}.";
            _graph.Scope = $"layers.{layer}/";
            hidden = _graph.Add(hidden, Attend(Normalize(hidden, block + "attention_norm"), layer, block + "attention."));
            hidden = _graph.Add(hidden, FeedForward(Normalize(hidden, block + "feed_forward_norm"), block));
        }
        _graph.Scope = "head/";
        _decoder.End(Normalize(hidden, "norm"), _configuration.TiedHead ? "embed_tokens" : "lm_head");
    }

    private OnnxValue Normalize(OnnxValue x, string norm) => _graph.RmsNorm(x, _decoder.Weight(norm + ".weight"), _configuration.NormEpsilon);

    private OnnxValue Attend(OnnxValue x, int layer, string attention)
    {
        int heads = _configuration.Heads, groups = _configuration.KeyValueHeads;
        OnnxValue all = _graph.Reshape(_decoder.Linear(x, attention + "qkv"), 0, 0, heads + 2 * groups, _configuration.HeadWidth);     // [B,T,H+2G,D]
        OnnxValue[] parts = _graph.Split(all, 2, heads, groups, groups);
        OnnxValue queries = parts[0], keys = parts[1];
        if (_configuration.QueryKeyNorm)
            (queries, keys) = (Normalize(queries, attention + "q_norm"), Normalize(keys, attention + "k_norm"));
        if (_configuration.IsRotated(layer))
            (queries, keys) = (Rotate(queries), Rotate(keys));
        return _decoder.Linear(_decoder.Attend(layer, queries, keys, parts[2], _configuration.WindowOf(layer)), attention + "output");
    }

    private OnnxValue FeedForward(OnnxValue x, string block) => _configuration.Experts == 0
        ? Expert(x, block + "mlp")
        : _decoder.MixExperts(x, new ExpertMixture(block + "moe", _configuration.Experts, _configuration.ExpertsPerToken, WeightsSumToOne: true), Expert);

    private OnnxValue Expert(OnnxValue x, string network)
    {
        OnnxValue[] gateAndUp = _graph.Split(_decoder.Linear(x, network + ".gate_up"), -1, _configuration.FeedForwardWidth, _configuration.FeedForwardWidth);
        return _decoder.Linear(_graph.Mul(_graph.Activate(_configuration.Activation, gateAndUp[0]), gateAndUp[1]), network + ".down");
    }

    // The pair (i, i + D/2) of coordinates is rotated by its position: [B,T,heads,D].
    private OnnxValue Rotate(OnnxValue x)
    {
        OnnxValue[] halves = _graph.Split(x, -1, _configuration.HeadWidth / 2, _configuration.HeadWidth / 2);
        OnnxValue first = _graph.Sub(_graph.Mul(halves[0], _cosines), _graph.Mul(halves[1], _sines));
        OnnxValue second = _graph.Add(_graph.Mul(halves[1], _cosines), _graph.Mul(halves[0], _sines));
        return _graph.Concat(-1, [first, second]);
    }

    // A table for all positions of the context, because sines and cosines of large angles need more than float32. [B,T,1,D/2]
    private OnnxValue FindRotation(string name, bool isSine)
    {
        OnnxValue table = _graph.Weight(name, [_configuration.ContextLength, _configuration.HeadWidth / 2], stream =>
        {
            using var scope = NewDisposeScope();
            TensorBytes.Write(ComputeRotation(_configuration).narrow(1, isSine ? _configuration.HeadWidth / 2 : 0, _configuration.HeadWidth / 2), stream);
        });
        return _graph.Unsqueeze(_graph.Gather(table, _decoder.Positions), 2);
    }

    // What the model's own rotation makes of (1, 0) at each position: cosines, then sines, [context,D].
    private static Tensor ComputeRotation(LlamaConfiguration configuration)
    {
        using var untracked = no_grad();
        using RotaryEmbedding rotary = new(configuration.HeadWidth, configuration.RotaryBase, configuration.RotaryScaling);
        long half = configuration.HeadWidth / 2;
        Tensor head = cat([ones(half), zeros(half)]).expand(1, configuration.ContextLength, 1, -1);
        return rotary.Rotate(head, SequenceLayout.Full).reshape(configuration.ContextLength, -1);
    }
}
