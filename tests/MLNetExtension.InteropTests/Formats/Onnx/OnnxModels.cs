using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Llama;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.InteropTests.Formats.Onnx;

/// <summary>A model to export; disposing it frees both.</summary>
internal sealed record OnnxModel(CausalLanguageModel Network, CausalLanguageModelTransformer Transformer) : IDisposable
{
    public void Dispose() => Transformer.Dispose();
}

/// <summary>Models of every family, small enough for a test, with weights large enough that their logits are far from uniform. Tokens are bytes.</summary>
internal static class OnnxModels
{
    public const int ContextLength = 48;

    private static readonly LlamaConfiguration Llama = new()
    {
        VocabularySize = 257,
        ContextLength = ContextLength,
        Layers = 2,
        Width = 32,
        FeedForwardWidth = 40,
        Heads = 4,
        KeyValueHeads = 2,
        RotaryBase = 100,
    };

    private static readonly Gpt2Configuration Gpt2 = new(257, ContextLength, Layers: 2, Heads: 4, Width: 32, Activation: Activation.GeluTanh);

    private static readonly Dictionary<string, Func<CausalLanguageModel>> Makers = new()
    {
        ["gpt2, tied"] = () => new Gpt2Model(Gpt2, 1),
        ["gpt2, untied"] = () => new Gpt2Model(Gpt2 with { TiedHead = false, Activation = Activation.Gelu, FeedForwardWidth = 48, NormEpsilon = 1e-3 }, 1),
        ["gpt2, experts"] = () => new Gpt2Model(Gpt2 with { Experts = 3, ExpertsPerToken = 2, Activation = Activation.Relu }, 1),
        ["llama, tied"] = () => Make(Llama with { TiedHead = true }),
        ["llama, untied, biases, llama3 scaling"] = () => Make(Llama with
        {
            AttentionOutputBias = true, FeedForwardBias = true, QueryKeyValueBias = true, HeadWidth = 12, RotaryScaling = new RotaryScaling.Llama3(8, 1, 4, 16),
        }),
        ["llama, dynamic scaling"] = () => Make(Llama with { RotaryScaling = new RotaryScaling.Dynamic(2), KeyValueHeads = 4 }),
        ["mistral, tied"] = () => Make(Llama with { ModelType = "mistral", TiedHead = true, RotaryScaling = new RotaryScaling.Linear(3) }),
        ["mistral, untied, window"] = () => Make(Llama with { ModelType = "mistral", SlidingWindow = 4 }),
        ["mixtral"] = () => Make(Llama with { ModelType = "mixtral", Experts = 4, ExpertsPerToken = 2 }),
        ["qwen2, tied, window in one layer"] = () => Make(Llama with { ModelType = "qwen2", QueryKeyValueBias = true, TiedHead = true, SlidingWindow = 4, SlidingLayers = [1] }),
        ["qwen2, untied"] = () => Make(Llama with { ModelType = "qwen2", QueryKeyValueBias = true }),
        ["qwen3, tied"] = () => Make(Llama with { ModelType = "qwen3", QueryKeyNorm = true, TiedHead = true, HeadWidth = 16 }),
        ["qwen3, untied, yarn"] = () => Make(Llama with { ModelType = "qwen3", QueryKeyNorm = true, RotaryScaling = new RotaryScaling.Yarn(4, 16, AttentionFactor: 1.1) }),
        ["smollm3"] = () => Make(Llama with { ModelType = "smollm3", UnrotatedLayers = [1] }),
    };

    public static IEnumerable<string> Names => Makers.Keys;

    /// <summary>Makes a model, with adapters that change it where they are asked for.</summary>
    public static OnnxModel Make(string name, bool adapters = false, ILanguageTokenizer? tokenizer = null)
    {
        CausalLanguageModel network = Makers[name]();
        Spread(network);
        network.eval();
        LoraAdapters? attached = adapters ? Adapt(network) : null;
        return new OnnxModel(network, new CausalLanguageModelTransformer(new TrainedLanguageModel(network, tokenizer ?? new ByteLevelTokenizer(), attached), new(), training: null));
    }

    private static LlamaModel Make(LlamaConfiguration configuration) => new(configuration, 1);

    private static LoraAdapters Adapt(CausalLanguageModel network)
    {
        LoraAdapters adapters = HuggingFaceAdapters.Attach(network, new LoraOptions { Rank = 3 }, seed: 4);
        using var untracked = no_grad();
        using Generator generator = new(6);
        foreach ((_, LowRankAdapter adapter) in adapters.Attached)
            adapter.B.normal_(0, 0.2, generator);
        return adapters;
    }

    private static void Spread(CausalLanguageModel network)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        using Generator generator = new(5);
        foreach (Parameter parameter in network.parameters())
        {
            if (parameter.dim() >= 2)
                parameter.mul_(10);
            else
                parameter.add_(empty_like(parameter).normal_(0, 0.2, generator));
        }
    }
}
