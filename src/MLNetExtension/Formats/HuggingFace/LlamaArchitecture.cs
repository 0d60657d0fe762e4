using System.Text.Json.Nodes;
using MLNetExtension.Models;
using MLNetExtension.Models.Llama;
using static TorchSharp.torch;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>The files of Llama and its relatives, in which queries, keys and values, and gate and up, are separate matrices; here they are rows of one matrix.</summary>
/// <param name="configuration">Sizes and options.</param>
/// <param name="isPart">Whether the files may hold parts for images beside it, which are not read. Default false.</param>
internal sealed class LlamaArchitecture(LlamaConfiguration configuration, bool isPart = false) : IArchitecture
{
    private static readonly string[] _otherParts = ["vision_tower.", "multi_modal_projector.", "model.vision_tower.", "model.multi_modal_projector."];

    private const string InputNorm = "input_layernorm", AttentionNorm = "post_attention_layernorm", FeedForwardOutputNorm = "post_feedforward_layernorm";

    public IReadOnlyList<string> Prefixes { get; } = isPart ? ["model.", "language_model.model.", "model.language_model."] : ["model."];

    public IEnumerable<HuggingFaceTensor> Tensors
    {
        get
        {
            long width = configuration.Width;
            yield return new HuggingFaceTensor("embed_tokens.weight", [configuration.VocabularySize, width], "embed_tokens");
            for (int i = 0; i < configuration.Layers; i++)
            {
                foreach (HuggingFaceTensor tensor in Block($"layers.{i}.", i))
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

    public IArchitecture WithDropout(double probability) => new LlamaArchitecture(configuration with { AttentionDropout = probability }, isPart);

    public bool IsIgnored(string name) => name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal)
        || (isPart && _otherParts.Any(part => name.StartsWith(part, StringComparison.Ordinal)));

    public bool IsSameAs(IArchitecture other)
    {
        if (other is not LlamaArchitecture llama || WithoutLayers(llama.Configuration) != WithoutLayers(configuration))
            return false;
        for (int layer = 0; layer < configuration.Layers; layer++)
        {
            if (llama.Configuration.IsRotated(layer) != configuration.IsRotated(layer) || llama.Configuration.WindowOf(layer) != configuration.WindowOf(layer)
                || llama.Configuration.ExpertsOf(layer) != configuration.ExpertsOf(layer))
            {
                return false;
            }
        }
        return true;
    }

    public void WriteTo(JsonObject json) => LlamaConfigurationFile.Write(configuration, json);

    private LlamaConfiguration Configuration => configuration;

    private LlamaFamily Family => LlamaFamily.All.GetValueOrDefault(configuration.ModelType, LlamaFamily.All["llama"]);

    // Lists equal only themselves, so layers are compared one by one; defaults are replaced by the values they stand for.
    private static LlamaConfiguration WithoutLayers(LlamaConfiguration configuration) => configuration with
    {
        KeyValueHeads = configuration.KeyValueHeads,
        HeadWidth = configuration.HeadWidth,
        RotaryWidth = configuration.RotaryWidth,
        ScoreScalar = configuration.ScoreScalar,
        UnrotatedLayers = Array.Empty<int>(),
        SlidingLayers = null,
        SlidingWindow = null,
        ExpertsPerToken = configuration.Experts == 0 ? 0 : configuration.ExpertsPerToken,
        ExpertWidth = configuration.Experts == 0 ? configuration.FeedForwardWidth : configuration.ExpertWidth,
        ExpertWeightsSumToOne = configuration.Experts == 0 || configuration.ExpertWeightsSumToOne,
        DenseLayers = Array.Empty<int>(),
    };

    private IEnumerable<HuggingFaceTensor> Block(string block, int layer)
    {
        (string? Attention, string? AttentionOutput, string? FeedForward, string? FeedForwardOutput) norms = configuration.Norms switch
        {
            NormPlacement.Before => (InputNorm, null, AttentionNorm, null),
            NormPlacement.After => (null, AttentionNorm, null, FeedForwardOutputNorm),
            _ => (InputNorm, AttentionNorm, "pre_feedforward_layernorm", FeedForwardOutputNorm),
        };
        IEnumerable<HuggingFaceTensor>[] parts =
        [
            Norm(block, norms.Attention, "attention_norm"),
            Attention(block),
            Norm(block, norms.AttentionOutput, "attention_output_norm"),
            Norm(block, norms.FeedForward, "feed_forward_norm"),
            configuration.ExpertsOf(layer) > 0 ? Experts(block, Family.Experts ?? LlamaExpertKeys.Mixtral) : FeedForward(block),
            Norm(block, norms.FeedForwardOutput, "feed_forward_output_norm"),
        ];
        return parts.SelectMany(part => part);
    }

    private HuggingFaceTensor[] Norm(string block, string? theirs, string ours) =>
        theirs is null ? [] : [new HuggingFaceTensor($"{block}{theirs}.weight", [configuration.Width], $"{block}{ours}.weight")];

    private IEnumerable<HuggingFaceTensor> Attention(string block)
    {
        string theirs = block + "self_attn.", ours = block + "attention.";
        long width = configuration.Width, queries = (long)configuration.Heads * configuration.HeadWidth, keys = (long)configuration.KeyValueHeads * configuration.HeadWidth;
        (string Name, long FirstRow, long Rows)[] parts = Family.JoinsMatrices ? [("qkv_proj", 0, queries + 2 * keys)]
            : [("q_proj", 0, queries), ("k_proj", queries, keys), ("v_proj", queries + keys, keys)];
        foreach ((string name, long firstRow, long rows) in parts)
        {
            yield return new HuggingFaceTensor($"{theirs}{name}.weight", [rows, width], ours + "qkv.weight", firstRow, IsPart: parts.Length > 1, Matrices: parts.Length == 1 && keys == queries ? 3 : 1);
            if (configuration.QueryKeyValueBias)
                yield return new HuggingFaceTensor($"{theirs}{name}.bias", [rows], ours + "qkv.bias", firstRow, IsPart: parts.Length > 1);
        }
        yield return new HuggingFaceTensor(theirs + "o_proj.weight", [width, queries], ours + "output.weight");
        if (configuration.AttentionOutputBias)
            yield return new HuggingFaceTensor(theirs + "o_proj.bias", [width], ours + "output.bias");
        if (configuration.QueryKeyNorm)
        {
            yield return new HuggingFaceTensor(theirs + "q_norm.weight", [configuration.QueryNormWidth], ours + "q_norm.weight");
            yield return new HuggingFaceTensor(theirs + "k_norm.weight", [configuration.KeyNormWidth], ours + "k_norm.weight");
        }
    }

    private IEnumerable<HuggingFaceTensor> FeedForward(string block)
    {
        string network = block + "mlp.";
        if (!Family.JoinsMatrices)
            return Gated(network, network, ("gate_proj", "up_proj", "down_proj"), configuration.FeedForwardWidth);
        long width = configuration.Width, inner = configuration.FeedForwardWidth;
        return
        [
            new HuggingFaceTensor(network + "gate_up_proj.weight", [2 * inner, width], network + "gate_up.weight", Matrices: 2),
            new HuggingFaceTensor(network + "down_proj.weight", [width, inner], network + "down.weight"),
        ];
    }

    // One by one: a description may claim any number of experts.
    private IEnumerable<HuggingFaceTensor> Experts(string block, LlamaExpertKeys keys)
    {
        yield return new HuggingFaceTensor($"{block}{keys.Module}gate.weight", [configuration.Experts, configuration.Width], block + "moe.router.weight");
        for (int e = 0; e < configuration.Experts; e++)
        {
            foreach (HuggingFaceTensor tensor in Gated($"{block}{keys.Module}experts.{e}.", $"{block}moe.experts.{e}.", (keys.Gate, keys.Up, keys.Down), configuration.ExpertWidth))
                yield return tensor;
        }
    }

    private IEnumerable<HuggingFaceTensor> Gated(string theirs, string ours, (string Gate, string Up, string Down) names, long inner)
    {
        long width = configuration.Width;
        yield return new HuggingFaceTensor($"{theirs}{names.Gate}.weight", [inner, width], ours + "gate_up.weight", 0, IsPart: true);
        yield return new HuggingFaceTensor($"{theirs}{names.Up}.weight", [inner, width], ours + "gate_up.weight", inner, IsPart: true);
        yield return new HuggingFaceTensor($"{theirs}{names.Down}.weight", [width, inner], ours + "down.weight");
        if (!configuration.FeedForwardBias)
            yield break;
        yield return new HuggingFaceTensor($"{theirs}{names.Gate}.bias", [inner], ours + "gate_up.bias", 0, IsPart: true);
        yield return new HuggingFaceTensor($"{theirs}{names.Up}.bias", [inner], ours + "gate_up.bias", inner, IsPart: true);
        yield return new HuggingFaceTensor($"{theirs}{names.Down}.bias", [width], ours + "down.bias");
    }
}
