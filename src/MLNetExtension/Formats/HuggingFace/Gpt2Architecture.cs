using System.Text.Json.Nodes;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using static TorchSharp.torch;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>GPT-2's files, whose matrices are the transposes of linear layers' weights.</summary>
internal sealed class Gpt2Architecture(Gpt2Configuration configuration) : IArchitecture
{
    private readonly long _width = configuration.Width, _inner = configuration.InnerWidth;

    // The oldest published files have no prefix.
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
                    .. CreateWeightAndBias(block + "ln_1", [_width], block + "ln_1"),
                    .. CreateWeightAndBias(block + "attn.c_attn", [_width, 3 * _width], block + "c_attn", matrices: 3),    // queries, keys and values
                    .. CreateWeightAndBias(block + "attn.c_proj", [_width, _width], block + "c_proj"),
                    .. CreateWeightAndBias(block + "ln_2", [_width], block + "ln_2"),
                    .. CreateWeightAndBias(block + "mlp.c_fc", [_width, _inner], block + "mlp.c_fc"),
                    .. CreateWeightAndBias(block + "mlp.c_proj", [_inner, _width], block + "mlp.c_proj"),
                ];
                foreach (HuggingFaceTensor tensor in tensors)
                    yield return tensor;
            }
            foreach (HuggingFaceTensor tensor in CreateWeightAndBias("ln_f", [_width], "ln_f"))
                yield return tensor;
            if (!configuration.TiedHead)
                yield return new HuggingFaceTensor("lm_head.weight", [configuration.VocabularySize, _width], "lm_head", HasPrefix: false);
        }
    }

    public int ContextLength => configuration.ContextLength;

    public int VocabularySize => configuration.VocabularySize;

    public IEnumerable<(string Name, long[] Shape)> Parameters => Gpt2Parameters.List(configuration);

    public CausalLanguageModel CreateModel(ScalarType dtype) => Gpt2Model.CreateUninitialized(configuration, dtype);

    public IArchitecture WithDropout(double probability) => new Gpt2Architecture(configuration with { Dropout = probability, AttentionDropout = probability });

    // The causal mask, and the number that stands for minus infinity in it.
    public bool IsIgnored(string name) => name.EndsWith(".attn.bias", StringComparison.Ordinal) || name.EndsWith(".attn.masked_bias", StringComparison.Ordinal);

    public bool IsSameAs(IArchitecture other) => other is Gpt2Architecture gpt2 && Normalize(gpt2.Configuration) == Normalize(configuration);

    public void WriteTo(JsonObject json) => Gpt2ConfigurationFile.Write(configuration, json);

    private Gpt2Configuration Configuration => configuration;

    // Fields that differ without a difference in what is computed.
    private static Gpt2Configuration Normalize(Gpt2Configuration configuration) => configuration with { FeedForwardWidth = configuration.InnerWidth, ExpertsPerToken = 0 };

    private static IEnumerable<HuggingFaceTensor> CreateWeightAndBias(string name, long[] shape, string parameter, int matrices = 1) =>
    [
        new HuggingFaceTensor(name + ".weight", shape, parameter + ".weight", IsTransposed: shape.Length == 2, Matrices: matrices),
        new HuggingFaceTensor(name + ".bias", [shape[^1]], parameter + ".bias"),
    ];
}
