using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Lora;

namespace MLNetExtension.Formats.Gguf;

/// <summary>GPT-2 as llama.cpp has it.</summary>
/// <remarks>Its feed-forward networks have GELU's approximation by a hyperbolic tangent, looked up in a table of half-precision numbers. The table rounds by more than the approximation differs from GELU itself, so both are written.</remarks>
internal sealed class Gpt2Gguf(Gpt2Configuration configuration) : IGgufArchitecture
{
    private const string Positions = "position_embd.weight";

    private static readonly GgufNames Names = new(
        "gpt2",
        new Dictionary<string, string> { ["wte"] = "token_embd", ["wpe"] = "position_embd", ["ln_f"] = "output_norm", ["lm_head"] = "output" },
        new Dictionary<string, string>
        {
            ["ln_1"] = "attn_norm",
            ["attn.c_attn"] = "attn_qkv",
            ["attn.c_proj"] = "attn_output",
            ["ln_2"] = "ffn_norm",
            ["mlp.c_fc"] = "ffn_up",
            ["mlp.c_proj"] = "ffn_down",
        });

    public string Name => "gpt2";

    public void Check()
    {
        if (configuration.Experts > 0)
            throw new NotSupportedException("A GPT-2 with experts has no form in GGUF files.");
        if (configuration.Activation is not (Activation.Gelu or Activation.GeluTanh))
            throw new NotSupportedException($"A GPT-2 with the activation {ActivationNames.Find(configuration.Activation)} has no form in GGUF files: llama.cpp computes it with GELU.");
    }

    public void AddTo(GgufMetadata metadata)
    {
        metadata.Add("gpt2.context_length", configuration.ContextLength);
        metadata.Add("gpt2.embedding_length", configuration.Width);
        metadata.Add("gpt2.block_count", configuration.Layers);
        metadata.Add("gpt2.feed_forward_length", configuration.InnerWidth);
        metadata.Add("gpt2.attention.head_count", configuration.Heads);
        metadata.Add("gpt2.attention.layer_norm_epsilon", configuration.NormEpsilon);
    }

    public IReadOnlyList<GgufTensor> ListTensors(MergedWeights weights) =>
    [
        // The files' transposes are our matrices, which are outputs first as GGUF's are.
        .. new Gpt2Architecture(configuration).Tensors.Select(tensor =>
        {
            string name = Names.Translate(tensor);
            return new GgufTensor(name, tensor.IsTransposed ? [.. tensor.Shape.Reverse()] : tensor.Shape, [() => GgufTensor.Read(weights, tensor)], IsExact: name == Positions);
        }),
    ];
}
