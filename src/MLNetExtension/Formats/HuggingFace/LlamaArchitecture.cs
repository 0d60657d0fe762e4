using System.Text.Json.Nodes;
using MLNetExtension.Models;
using MLNetExtension.Models.Llama;
using static TorchSharp.torch;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>The files of Llama and its relatives, in which queries, keys and values, and gate and up, are separate matrices; here they are rows of one matrix.</summary>
internal sealed class LlamaArchitecture(LlamaConfiguration configuration) : IArchitecture
{
    public IReadOnlyList<string> Prefixes { get; } = ["model."];

    public IEnumerable<HuggingFaceTensor> Tensors
    {
        get
        {
            long width = configuration.Width;
            yield return new HuggingFaceTensor("embed_tokens.weight", [configuration.VocabularySize, width], "embed_tokens");
            for (int i = 0; i < configuration.Layers; i++)
            {
                foreach (HuggingFaceTensor tensor in Block($"layers.{i}."))
                    yield return tensor;
            }
            yield return new HuggingFaceTensor("norm.weight", [width], "norm.weight");
            if (!configuration.TiedHead)
                yield return new HuggingFaceTensor("lm_head.weight", [configuration.VocabularySize, width], "lm_head", HasPrefix: false);
        }
    }

    public int ContextLength => configuration.ContextLength;

    public int VocabularySize => configuration.VocabularySize;

    public IEnumerable<(string Name, long[] Shape)> Parameters => LlamaParameters.List(configuration);

    public CausalLanguageModel CreateModel(ScalarType dtype) => LlamaModel.CreateUninitialized(configuration, dtype);

    public bool IsComputed(string name) => name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal);

    public bool IsSameAs(IArchitecture other)
    {
        if (other is not LlamaArchitecture llama || WithoutLayers(llama.Configuration) != WithoutLayers(configuration))
            return false;
        for (int layer = 0; layer < configuration.Layers; layer++)
        {
            if (llama.Configuration.IsRotated(layer) != configuration.IsRotated(layer) || llama.Configuration.WindowOf(layer) != configuration.WindowOf(layer))
                return false;
        }
        return true;
    }

    public void WriteTo(JsonObject json) => LlamaConfigurationFile.Write(configuration, json);

    private LlamaConfiguration Configuration => configuration;

    // Lists equal only themselves, so layers are compared one by one; defaults are replaced by the values they stand for.
    private static LlamaConfiguration WithoutLayers(LlamaConfiguration configuration) => configuration with
    {
        KeyValueHeads = configuration.KeyValueHeads,
        HeadWidth = configuration.HeadWidth,
        UnrotatedLayers = Array.Empty<int>(),
        SlidingLayers = null,
        SlidingWindow = null,
        ExpertsPerToken = configuration.Experts == 0 ? 0 : configuration.ExpertsPerToken,
    };

    private IEnumerable<HuggingFaceTensor> Block(string block)
    {
        long width = configuration.Width;
        yield return new HuggingFaceTensor(block + "input_layernorm.weight", [width], block + "attention_norm.weight");
        foreach (HuggingFaceTensor tensor in Attention(block))
            yield return tensor;
        yield return new HuggingFaceTensor(block + "post_attention_layernorm.weight", [width], block + "feed_forward_norm.weight");
        foreach (HuggingFaceTensor tensor in configuration.Experts > 0 ? Experts(block) : FeedForward(block))
            yield return tensor;
    }

    private IEnumerable<HuggingFaceTensor> Attention(string block)
    {
        string theirs = block + "self_attn.", ours = block + "attention.";
        long width = configuration.Width, queries = (long)configuration.Heads * configuration.HeadWidth, keys = (long)configuration.KeyValueHeads * configuration.HeadWidth;
        (string Name, long FirstRow, long Rows)[] parts = [("q_proj", 0, queries), ("k_proj", queries, keys), ("v_proj", queries + keys, keys)];
        foreach ((string name, long firstRow, long rows) in parts)
        {
            yield return new HuggingFaceTensor($"{theirs}{name}.weight", [rows, width], ours + "qkv.weight", firstRow, IsPart: true);
            if (configuration.QueryKeyValueBias)
                yield return new HuggingFaceTensor($"{theirs}{name}.bias", [rows], ours + "qkv.bias", firstRow, IsPart: true);
        }
        yield return new HuggingFaceTensor(theirs + "o_proj.weight", [width, queries], ours + "output.weight");
        if (configuration.AttentionOutputBias)
            yield return new HuggingFaceTensor(theirs + "o_proj.bias", [width], ours + "output.bias");
        if (configuration.QueryKeyNorm)
        {
            yield return new HuggingFaceTensor(theirs + "q_norm.weight", [configuration.HeadWidth], ours + "q_norm.weight");
            yield return new HuggingFaceTensor(theirs + "k_norm.weight", [configuration.HeadWidth], ours + "k_norm.weight");
        }
    }

    private IEnumerable<HuggingFaceTensor> FeedForward(string block) => Gated(block + "mlp.", block + "mlp.", "gate_proj", "up_proj", "down_proj");

    private IEnumerable<HuggingFaceTensor> Experts(string block)
    {
        yield return new HuggingFaceTensor(block + "block_sparse_moe.gate.weight", [configuration.Experts, configuration.Width], block + "moe.router.weight");
        for (int e = 0; e < configuration.Experts; e++)
        {
            foreach (HuggingFaceTensor tensor in Gated($"{block}block_sparse_moe.experts.{e}.", $"{block}moe.experts.{e}.", "w1", "w3", "w2"))
                yield return tensor;
        }
    }

    private IEnumerable<HuggingFaceTensor> Gated(string theirs, string ours, string gate, string up, string down)
    {
        long width = configuration.Width, inner = configuration.FeedForwardWidth;
        yield return new HuggingFaceTensor($"{theirs}{gate}.weight", [inner, width], ours + "gate_up.weight", 0, IsPart: true);
        yield return new HuggingFaceTensor($"{theirs}{up}.weight", [inner, width], ours + "gate_up.weight", inner, IsPart: true);
        yield return new HuggingFaceTensor($"{theirs}{down}.weight", [width, inner], ours + "down.weight");
        if (!configuration.FeedForwardBias)
            yield break;
        yield return new HuggingFaceTensor($"{theirs}{gate}.bias", [inner], ours + "gate_up.bias", 0, IsPart: true);
        yield return new HuggingFaceTensor($"{theirs}{up}.bias", [inner], ours + "gate_up.bias", inner, IsPart: true);
        yield return new HuggingFaceTensor($"{theirs}{down}.bias", [width], ours + "down.bias");
    }
}
