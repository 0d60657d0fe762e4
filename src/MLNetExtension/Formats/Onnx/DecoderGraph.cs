using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Lora;
using MLNetExtension.Safetensors;
using static TorchSharp.torch;

namespace MLNetExtension.Formats.Onnx;

/// <summary>
/// What the graphs of all transformers share: ids and attention mask as inputs, positions, linear layers under the names of the model's modules, attention with a key/value cache, logits as output.
/// B rows, T new positions, P positions in the cache, S all of them, H heads of queries, G of keys and of values, D width of a head, C width, V vocabulary.
/// </summary>
/// <remarks>
/// Inputs and outputs have the names that ONNX Runtime GenAI, Optimum and transformers.js use. There is no input for positions: they are counted from the attention mask, so padding at either end, and between prompt and
/// continuation, is right by the mask alone.
/// </remarks>
internal sealed class DecoderGraph
{
    public const string Ids = "input_ids", AttentionMask = "attention_mask", Logits = "logits";

    private const string Rows = "batch", NewPositions = "sequence", CachedPositions = "past", AllPositions = "total";

    private readonly MergedWeights _weights;
    private readonly HeadCounts _heads;
    private readonly int _headWidth;
    private readonly OnnxValue _ids, _allPositions, _allowed;
    private readonly Dictionary<string, OnnxValue> _stored = [];
    private readonly Dictionary<int, OnnxValue> _bias = [];       // by window, 0 for none

    /// <summary>Starts a graph.</summary>
    /// <param name="weights">The model's weights.</param>
    /// <param name="heads">H and G.</param>
    /// <param name="headWidth">D.</param>
    /// <param name="dataFileName">Name of the file with the weights.</param>
    public DecoderGraph(MergedWeights weights, HeadCounts heads, int headWidth, string dataFileName)
    {
        (_weights, _heads, _headWidth) = (weights, heads, headWidth);
        Graph = new OnnxGraph(dataFileName);
        _ids = Graph.Input(Ids, OnnxType.Int64, Rows, NewPositions);
        OnnxValue mask = Graph.Input(AttentionMask, OnnxType.Int64, Rows, AllPositions);
        Graph.Scope = "positions/";
        OnnxValue all = Graph.Size(mask, 1), before = Graph.Sub(all, Graph.Size(_ids, 1));
        _allPositions = Graph.Max(Graph.Sub(Graph.CumSum(mask, axis: 1), Graph.Integer(1)), Graph.Integer(0));     // [B,S]
        Positions = Graph.Slice(_allPositions, axis: 1, before, all);                                               // [B,T]

        // A query in the padding attends to itself: a softmax over nothing is NaN. Its result is never used.
        OnnxValue keys = Graph.Range(Graph.Squeeze(all));                                                           // [S]
        OnnxValue queries = Graph.Unsqueeze(Graph.Slice(keys, axis: 0, before, all), 1);                            // [T,1]
        OnnxValue isReal = Graph.Unsqueeze(Graph.Cast(mask, OnnxType.Boolean), 1);                                  // [B,1,S]
        _allowed = Graph.And(Graph.LessOrEqual(keys, queries), Graph.Or(isReal, Graph.Equal(keys, queries)));       // [B,T,S]
    }

    /// <summary>The graph.</summary>
    public OnnxGraph Graph { get; }

    /// <summary>The place of each new position among the real ones of its row, [B,T] int64.</summary>
    public OnnxValue Positions { get; }

    /// <summary>A weight as it lies in the model.</summary>
    /// <param name="name">The parameter's name in the model.</param>
    public OnnxValue Weight(string name) => Store(name, isTransposed: false);

    /// <summary>Whether the model has a weight.</summary>
    /// <param name="name">The parameter's name in the model.</param>
    public bool HasWeight(string name) => _weights.Contains(name);

    /// <summary>Looks up the ids, [B,T] to [B,T,C].</summary>
    /// <param name="embedding">The embedding's name in the model, [V,C].</param>
    public OnnxValue Embed(string embedding) => Graph.Gather(Weight(embedding), _ids);

    /// <summary>x W' + b, [...,inputs] to [...,outputs].</summary>
    /// <param name="x">The input.</param>
    /// <param name="layer">The layer's name in the model.</param>
    public OnnxValue Linear(OnnxValue x, string layer)
    {
        OnnxValue product = Graph.MatMul(x, Store(layer + ".weight", isTransposed: true));
        return HasWeight(layer + ".bias") ? Graph.Add(product, Weight(layer + ".bias")) : product;
    }

    /// <summary>Attends from each new position to itself and to the real ones before it, those in the cache included, and appends the new keys and values to the cache.</summary>
    /// <param name="layer">The number of the layer, from 0.</param>
    /// <param name="queries">[B,T,H,D].</param>
    /// <param name="keys">[B,T,G,D].</param>
    /// <param name="values">[B,T,G,D].</param>
    /// <param name="window">How many positions one attends to, itself included; null for all.</param>
    /// <returns>[B,T,H D].</returns>
    public OnnxValue Attend(int layer, OnnxValue queries, OnnxValue keys, OnnxValue values, int? window = null)
    {
        OnnxValue allKeys = Append(layer, "key", keys), allValues = Append(layer, "value", values);                 // [B,G,S,D]
        OnnxValue grouped = Graph.Transpose(Graph.Reshape(queries, 0, 0, _heads.Groups, _heads.Shared, _headWidth), 0, 2, 3, 1, 4);     // [B,G,H/G,T,D]
        OnnxValue scaled = Graph.Mul(grouped, Graph.Number(1 / Math.Sqrt(_headWidth)));
        OnnxValue scores = Graph.MatMul(scaled, Graph.Unsqueeze(Graph.Transpose(allKeys, 0, 1, 3, 2), 2));          // [B,G,H/G,T,S]
        OnnxValue probabilities = Graph.Softmax(Graph.Add(scores, FindBias(window)));
        OnnxValue mixed = Graph.MatMul(probabilities, Graph.Unsqueeze(allValues, 2));                               // [B,G,H/G,T,D]
        return Graph.Reshape(Graph.Transpose(mixed, 0, 3, 1, 2, 4), 0, 0, (long)_heads.Queries * _headWidth);
    }

    /// <summary>Ends the graph with the head.</summary>
    /// <param name="hidden">What the head reads, [B,T,C].</param>
    /// <param name="head">The name of its weight, [V,C], which may be the embedding.</param>
    public void End(OnnxValue hidden, string head)
    {
        long[] shape = _weights.ShapeOf(head);
        OnnxValue logits;
        if (_stored.TryGetValue(head, out OnnxValue embedding))
        {
            // Tied: the embedding is stored once, as the table that ids are looked up in.
            OnnxValue product = Graph.MatMulTransposed(Graph.Reshape(hidden, -1, shape[1]), embedding);             // [B T,V]
            OnnxValue outer = Graph.Concat(0, [Graph.Shape(_ids), Graph.Integers(shape[0])]);                      // [B,T,V]
            logits = Graph.Reshape(product, outer, Logits);
        }
        else
            logits = Graph.MatMul(hidden, Store(head, isTransposed: true), Logits);
        Graph.Output(logits, Rows, NewPositions, (int)shape[0]);
    }

    // [B,T,G,D] to [B,G,S,D], under the name of an output.
    private OnnxValue Append(int layer, string kind, OnnxValue added)
    {
        OnnxValue past = Graph.Input($"past_key_values.{layer}.{kind}", OnnxType.Float32, Rows, _heads.Groups, CachedPositions, _headWidth);
        OnnxValue all = Graph.Concat(2, [past, Graph.Transpose(added, 0, 2, 1, 3)], $"present.{layer}.{kind}");
        Graph.Output(all, Rows, _heads.Groups, AllPositions, _headWidth);
        return all;
    }

    // What is added to scores: 0 where a query may attend to a key, else so little that its exponential is 0. [B,1,1,T,S]
    private OnnxValue FindBias(int? window)
    {
        if (_bias.TryGetValue(window ?? 0, out OnnxValue known))
            return known;
        OnnxValue allowed = _allowed;
        if (window is { } width)
        {
            OnnxValue keys = Graph.Unsqueeze(_allPositions, 1), queries = Graph.Unsqueeze(Positions, 2);             // [B,1,S] and [B,T,1]
            allowed = Graph.And(allowed, Graph.Greater(keys, Graph.Sub(queries, Graph.Integer(width))));
        }
        OnnxValue bias = Graph.Unsqueeze(Graph.Where(allowed, Graph.Number(0), Graph.Number(float.MinValue)), 1, 2);
        return _bias[window ?? 0] = bias;
    }

    private OnnxValue Store(string name, bool isTransposed)
    {
        if (_stored.TryGetValue(name, out OnnxValue stored))
            return stored;
        long[] shape = _weights.ShapeOf(name);
        return _stored[name] = Graph.Weight(name, isTransposed ? [shape[1], shape[0]] : shape, stream =>
        {
            using var scope = NewDisposeScope();
            Tensor weight = _weights.Find(name);
            TensorBytes.Write(isTransposed ? weight.t() : weight, stream, ScalarType.Float32);
        });
    }
}
