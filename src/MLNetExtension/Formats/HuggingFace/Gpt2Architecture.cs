using System.Text.Json.Nodes;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using static TorchSharp.torch;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>GPT-2's files. Their matrices are stored inputs first, the transpose of a linear layer's weight.</summary>
internal sealed class Gpt2Architecture(Gpt2Configuration configuration) : IArchitecture
{
    private readonly int _width = configuration.Width, _inner = configuration.InnerWidth;

    // The first published files have no prefix.
    public IReadOnlyList<string> Prefixes { get; } = ["transformer.", ""];

    public IEnumerable<HuggingFaceTensor> Tensors
    {
        get
        {
            yield return new HuggingFaceTensor("wte.weight", [configuration.VocabularySize, _width], "wte");
            yield return new HuggingFaceTensor("wpe.weight", [configuration.ContextLength, _width], "wpe");
            for (int i = 0; i < configuration.Layers; i++)
            {
                string block = $"h.{i}.";
                HuggingFaceTensor[] tensors =
                [
                    .. Both(block + "ln_1", [_width], block + "ln_1"),
                    .. Both(block + "attn.c_attn", [_width, 3 * _width], block + "c_attn"),
                    .. Both(block + "attn.c_proj", [_width, _width], block + "c_proj"),
                    .. Both(block + "ln_2", [_width], block + "ln_2"),
                    .. Both(block + "mlp.c_fc", [_width, _inner], block + "mlp.c_fc"),
                    .. Both(block + "mlp.c_proj", [_inner, _width], block + "mlp.c_proj"),
                ];
                foreach (HuggingFaceTensor tensor in tensors)
                    yield return tensor;
            }
            foreach (HuggingFaceTensor tensor in Both("ln_f", [_width], "ln_f"))
                yield return tensor;
            if (!configuration.TiedHead)
                yield return new HuggingFaceTensor("lm_head.weight", [configuration.VocabularySize, _width], "lm_head", HasPrefix: false);
        }
    }

    public int ContextLength => configuration.ContextLength;

    public int VocabularySize => configuration.VocabularySize;

    public CausalLanguageModel Make(ScalarType dtype) => Gpt2Model.WithoutWeights(configuration, dtype);

    // The causal mask, and the number that stands for minus infinity in it.
    public bool IsComputed(string name) => name.EndsWith(".attn.bias", StringComparison.Ordinal) || name.EndsWith(".attn.masked_bias", StringComparison.Ordinal);

    public bool IsSame(IArchitecture other) => other is Gpt2Architecture { Configuration: var read }
        && read with { FeedForwardWidth = 0, ExpertsPerToken = 0 } == configuration with { FeedForwardWidth = 0, ExpertsPerToken = 0 } && read.InnerWidth == configuration.InnerWidth;

    public void Write(JsonObject json) => Gpt2ConfigurationFile.Write(configuration, json);

    private Gpt2Configuration Configuration => configuration;

    private static IEnumerable<HuggingFaceTensor> Both(string name, long[] shape, string parameter) =>
    [
        new HuggingFaceTensor(name + ".weight", shape, parameter + ".weight", IsTransposed: shape.Length == 2),
        new HuggingFaceTensor(name + ".bias", [shape[^1]], parameter + ".bias"),
    ];
}
