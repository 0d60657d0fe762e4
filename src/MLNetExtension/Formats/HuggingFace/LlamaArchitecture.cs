using System.Text.Json.Nodes;
using MLNetExtension.Models;
using MLNetExtension.Models.Llama;
using static TorchSharp.torch;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>The files of Llama and its relatives. What are separate matrices there are rows of one matrix here: queries, keys and values; gate and up.</summary>
internal sealed class LlamaArchitecture(LlamaConfiguration configuration) : IArchitecture
{
    private readonly LlamaConfiguration _configuration = configuration;

    public IReadOnlyList<string> Prefixes { get; } = ["model."];

    public IEnumerable<HuggingFaceTensor> Tensors
    {
        get
        {
            long width = _configuration.Width;
            yield return new HuggingFaceTensor("embed_tokens.weight", [_configuration.VocabularySize, width], "embed_tokens");
            for (int i = 0; i < _configuration.Layers; i++)
            {
                string block = $"layers.{i}.";
                IEnumerable<HuggingFaceTensor> tensors = Attention(block)
                    .Prepend(new HuggingFaceTensor(block + "input_layernorm.weight", [width], block + "attention_norm.weight"))
                    .Append(new HuggingFaceTensor(block + "post_attention_layernorm.weight", [width], block + "feed_forward_norm.weight"))
                    .Concat(_configuration.Experts > 0 ? Experts(block) : FeedForward(block));
                foreach (HuggingFaceTensor tensor in tensors)
                    yield return tensor;
            }
            yield return new HuggingFaceTensor("norm.weight", [width], "norm.weight");
            if (!_configuration.TiedHead)
                yield return new HuggingFaceTensor("lm_head.weight", [_configuration.VocabularySize, width], "lm_head", HasPrefix: false);
        }
    }

    public int ContextLength => _configuration.ContextLength;

    public int VocabularySize => _configuration.VocabularySize;

    public CausalLanguageModel Make(ScalarType dtype) => LlamaModel.WithoutWeights(_configuration, dtype);

    public bool IsComputed(string name) => name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal);

    public bool IsSame(IArchitecture other) => other is LlamaArchitecture { _configuration: var read }
        && WithoutLayers(read) == WithoutLayers(_configuration)
        && Enumerable.Range(0, read.Layers).All(layer => read.IsRotated(layer) == _configuration.IsRotated(layer) && read.WindowOf(layer) == _configuration.WindowOf(layer));

    public void Write(JsonObject json) => LlamaConfigurationFile.Write(_configuration, json);

    // Lists are equal only to themselves; derived values are compared as what they come to.
    private static LlamaConfiguration WithoutLayers(LlamaConfiguration configuration) => configuration with
    {
        KeyValueHeads = configuration.KeyValueHeads,
        HeadWidth = configuration.HeadWidth,
        UnrotatedLayers = Array.Empty<int>(),
        SlidingLayers = null,
        SlidingWindow = null,
        ExpertsPerToken = configuration.Experts == 0 ? 0 : configuration.ExpertsPerToken,
    };

    private IEnumerable<HuggingFaceTensor> Attention(string block)
    {
        string theirs = block + "self_attn.", ours = block + "attention.";
        long width = _configuration.Width, queries = (long)_configuration.Heads * _configuration.HeadWidth, keys = (long)_configuration.KeyValueHeads * _configuration.HeadWidth;
        (string Name, long FirstRow, long Rows)[] parts = [("q_proj", 0, queries), ("k_proj", queries, keys), ("v_proj", queries + keys, keys)];
        foreach ((string name, long firstRow, long rows) in parts)
        {
            yield return new HuggingFaceTensor($"{theirs}{name}.weight", [rows, width], ours + "qkv.weight", firstRow, IsPart: true);
            if (_configuration.QueryKeyValueBias)
                yield return new HuggingFaceTensor($"{theirs}{name}.bias", [rows], ours + "qkv.bias", firstRow, IsPart: true);
        }
        yield return new HuggingFaceTensor(theirs + "o_proj.weight", [width, queries], ours + "output.weight");
        if (_configuration.AttentionOutputBias)
            yield return new HuggingFaceTensor(theirs + "o_proj.bias", [width], ours + "output.bias");
        if (_configuration.QueryKeyNorm)
        {
            yield return new HuggingFaceTensor(theirs + "q_norm.weight", [_configuration.HeadWidth], ours + "q_norm.weight");
            yield return new HuggingFaceTensor(theirs + "k_norm.weight", [_configuration.HeadWidth], ours + "k_norm.weight");
        }
    }

    private IEnumerable<HuggingFaceTensor> FeedForward(string block) =>
        Gated(block + "mlp.", block + "mlp.", "gate_proj", "up_proj", "down_proj");

    private IEnumerable<HuggingFaceTensor> Experts(string block) => Enumerable.Range(0, _configuration.Experts)
        .SelectMany(e => Gated($"{block}block_sparse_moe.experts.{e}.", $"{block}moe.experts.{e}.", "w1", "w3", "w2"))
        .Prepend(new HuggingFaceTensor(block + "block_sparse_moe.gate.weight", [_configuration.Experts, _configuration.Width], block + "moe.router.weight"));

    private IEnumerable<HuggingFaceTensor> Gated(string theirs, string ours, string gate, string up, string down)
    {
        long width = _configuration.Width, inner = _configuration.FeedForwardWidth;
        yield return new HuggingFaceTensor($"{theirs}{gate}.weight", [inner, width], ours + "gate_up.weight", 0, IsPart: true);
        yield return new HuggingFaceTensor($"{theirs}{up}.weight", [inner, width], ours + "gate_up.weight", inner, IsPart: true);
        yield return new HuggingFaceTensor($"{theirs}{down}.weight", [width, inner], ours + "down.weight");
        if (!_configuration.FeedForwardBias)
            yield break;
        yield return new HuggingFaceTensor($"{theirs}{gate}.bias", [inner], ours + "gate_up.bias", 0, IsPart: true);
        yield return new HuggingFaceTensor($"{theirs}{up}.bias", [inner], ours + "gate_up.bias", inner, IsPart: true);
        yield return new HuggingFaceTensor($"{theirs}{down}.bias", [width], ours + "down.bias");
    }
}
