using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models.Llama;
using MLNetExtension.Models.Lora;
using static TorchSharp.torch;

namespace MLNetExtension.Formats.Gguf;

/// <summary>Llama and its relatives as llama.cpp has them.</summary>
internal sealed class LlamaGguf(LlamaConfiguration configuration) : IGgufArchitecture
{
    private static readonly Dictionary<string, string> Names = new() { ["embed_tokens"] = "token_embd", ["norm"] = "output_norm", ["lm_head"] = "output" };

    private static readonly Dictionary<string, string> BlockNames = new()
    {
        ["input_layernorm"] = "attn_norm",
        ["self_attn.q_proj"] = "attn_q",
        ["self_attn.k_proj"] = "attn_k",
        ["self_attn.v_proj"] = "attn_v",
        ["self_attn.o_proj"] = "attn_output",
        ["self_attn.q_norm"] = "attn_q_norm",
        ["self_attn.k_norm"] = "attn_k_norm",
        ["post_attention_layernorm"] = "ffn_norm",
        ["mlp.gate_proj"] = "ffn_gate",
        ["mlp.up_proj"] = "ffn_up",
        ["mlp.down_proj"] = "ffn_down",
        ["block_sparse_moe.gate"] = Router,
        ["block_sparse_moe.experts.w1"] = "ffn_gate_exps",
        ["block_sparse_moe.experts.w3"] = "ffn_up_exps",
        ["block_sparse_moe.experts.w2"] = "ffn_down_exps",
    };

    private const string Router = "ffn_gate_inp", ExpertsEnd = "_exps.weight";

    private readonly LlamaGraph _graph = LlamaGraph.Of(configuration.ModelType);

    public string Name => _graph.Name;

    public void Check()
    {
        _graph.Check(configuration);
        LlamaRotation.Check(configuration, _graph);
    }

    public void AddTo(GgufMetadata metadata)
    {
        metadata.Add($"{Name}.context_length", configuration.ContextLength);
        metadata.Add($"{Name}.embedding_length", configuration.Width);
        metadata.Add($"{Name}.block_count", configuration.Layers);
        metadata.Add($"{Name}.feed_forward_length", configuration.FeedForwardWidth);
        metadata.Add($"{Name}.attention.head_count", configuration.Heads);
        metadata.Add($"{Name}.attention.head_count_kv", configuration.KeyValueHeads);
        metadata.Add($"{Name}.attention.key_length", configuration.HeadWidth);
        metadata.Add($"{Name}.attention.value_length", configuration.HeadWidth);
        metadata.Add($"{Name}.attention.layer_norm_rms_epsilon", configuration.NormEpsilon);
        LlamaRotation.AddTo(metadata, Name, configuration);
        if (configuration.Experts == 0)
            return;
        metadata.Add($"{Name}.expert_count", configuration.Experts);
        metadata.Add($"{Name}.expert_used_count", configuration.ExpertsPerToken);
    }

    public IReadOnlyList<GgufTensor> ListTensors(MergedWeights weights)
    {
        GgufNames names = new(Name, Names, BlockNames);
        IEnumerable<IGrouping<string, HuggingFaceTensor>> named = new LlamaArchitecture(configuration).Tensors.GroupBy(names.Translate);
        return [.. named.Select(tensors => Create(tensors.Key, [.. tensors], weights)), .. LlamaRotation.ListTensors(configuration)];
    }

    private GgufTensor Create(string name, HuggingFaceTensor[] tensors, MergedWeights weights)
    {
        // All experts of a block are one tensor, [E,rows,columns].
        long[] shape = name.EndsWith(ExpertsEnd, StringComparison.Ordinal) ? [tensors.Length, .. tensors[0].Shape] : tensors[0].Shape;
        int rotatedHeads = !_graph.RotatesNeighbours ? 0 : name.Contains(".attn_q.") ? configuration.Heads : name.Contains(".attn_k.") ? configuration.KeyValueHeads : 0;
        Func<Tensor>[] parts = [.. tensors.Select<HuggingFaceTensor, Func<Tensor>>(tensor => () => PairNeighbours(GgufTensor.Read(weights, tensor), rotatedHeads))];
        return new GgufTensor(name, shape, parts, IsExact: name.Contains($".{Router}."));
    }

    // The pair that is rotated together is (i, i + D/2) of a head here, and (2i, 2i + 1) there: [H 2 D/2,...] to [H,D/2,2,...].
    private static Tensor PairNeighbours(Tensor rows, int heads) => heads == 0 ? rows : rows.view([heads, 2, rows.shape[0] / heads / 2, .. rows.shape[1..]]).transpose(1, 2);
}
