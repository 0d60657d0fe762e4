using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Llama;
using MLNetExtension.Models.Lora;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.InteropTests.Formats.Gguf;

/// <summary>Models with random weights, two layers, width 64, under the names of what they are there for.</summary>
internal static class SmallModels
{
    public const int Vocabulary = 400;

    private const int Layers = 2, Width = 64, Context = 96;

    private static readonly LlamaConfiguration Llama = new()
    {
        VocabularySize = Vocabulary,
        ContextLength = Context,
        Layers = Layers,
        Width = Width,
        FeedForwardWidth = 160,
        Heads = 4,
        KeyValueHeads = 2,
        NormEpsilon = 1e-5,
    };

    private static readonly Gpt2Configuration Gpt2 = new(Vocabulary, Context, Layers, Heads: 4, Width, Activation: Activation.GeluTanh, FeedForwardWidth: 224);

    private static readonly LlamaConfiguration Qwen2 = Llama with { ModelType = "qwen2", QueryKeyValueBias = true, RotaryBase = 1e6, NormEpsilon = 1e-6 };

    private static readonly LlamaConfiguration Qwen3 = Llama with { ModelType = "qwen3", QueryKeyNorm = true, HeadWidth = 32, RotaryBase = 1e6, NormEpsilon = 1e-6 };

    private static readonly Dictionary<string, Func<CausalLanguageModel>> Models = new()
    {
        ["gpt2 tied"] = () => new Gpt2Model(Gpt2, seed: 1),
        ["gpt2 untied"] = () => new Gpt2Model(Gpt2 with { TiedHead = false }, seed: 1),
        ["gpt2 with the exact GELU"] = () => new Gpt2Model(Gpt2 with { Activation = Activation.Gelu, FeedForwardWidth = 0, NormEpsilon = 1e-3 }, seed: 1),
        ["llama tied"] = () => Create(Llama with { TiedHead = true }),
        ["llama untied"] = () => Create(Llama),
        ["llama with every bias"] = () => Create(Llama with { QueryKeyValueBias = true, AttentionOutputBias = true, FeedForwardBias = true }),
        ["llama with heads of another width"] = () => Create(Llama with { HeadWidth = 24, KeyValueHeads = 1, NormEpsilon = 1e-2 }),
        ["llama, linear rotary scaling"] = () => Create(Llama with { RotaryScaling = new RotaryScaling.Linear(4) }),
        ["llama, dynamic rotary scaling"] = () => Create(Llama with { RotaryScaling = new RotaryScaling.Dynamic(4) }),
        ["llama, rotary scaling of Llama 3"] = () => Create(Llama with { RotaryScaling = new RotaryScaling.Llama3(8, 1, 4, 48) }),
        ["llama, yarn"] = () => Create(Llama with { RotaryScaling = new RotaryScaling.Yarn(4, 24, FastTurns: 8, SlowTurns: 0.5, AttentionFactor: 1.3) }),
        ["mistral untied"] = () => Create(Llama with { ModelType = "mistral", SlidingWindow = Context }),
        ["mistral tied"] = () => Create(Llama with { ModelType = "mistral", TiedHead = true }),
        ["mixtral untied"] = () => Create(Llama with { ModelType = "mixtral", Experts = 4, ExpertsPerToken = 2 }),
        ["mixtral tied"] = () => Create(Llama with { ModelType = "mixtral", Experts = 5, ExpertsPerToken = 3, TiedHead = true }),
        ["qwen2 tied"] = () => Create(Qwen2 with { TiedHead = true }),
        ["qwen2 untied"] = () => Create(Qwen2),
        ["qwen2, yarn"] = () => Create(Qwen2 with { RotaryBase = 10_000, RotaryScaling = new RotaryScaling.Yarn(4, 24) }),
        ["qwen3 tied"] = () => Create(Qwen3 with { TiedHead = true }),
        ["qwen3 untied"] = () => Create(Qwen3),
    };

    public static IEnumerable<string> Names => Models.Keys;

    /// <summary>One of each family.</summary>
    public static IEnumerable<string> Families => ["gpt2 tied", "llama untied", "mistral untied", "mixtral untied", "qwen2 tied", "qwen3 untied"];

    public static CausalLanguageModel Create(string name)
    {
        CausalLanguageModel model = Models[name]();
        Spread(model);
        model.eval();
        return model;
    }

    /// <summary>Adapters of every linear layer that change what the model computes.</summary>
    public static void Adapt(CausalLanguageModel model)
    {
        HuggingFaceAdapters.Attach(model, new LoraOptions { Rank = 3, Alpha = 5 }, seed: 2);
        using var _ = no_grad();
        using Generator generator = new(9);
        foreach (Parameter parameter in model.parameters().Where(parameter => parameter.requires_grad))
            parameter.add_(empty_like(parameter).normal_(0, 0.1, generator));
        model.eval();
    }

    /// <summary>The logits of every position of a row, [T,V].</summary>
    public static float[][] ComputeLogits(CausalLanguageModel model, int[] ids)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        float[] all = model.call(tensor(ids, dtype: int64).unsqueeze(0)).to(float32).data<float>().ToArray();
        return [.. all.Chunk(model.VocabularySize)];
    }

    /// <summary>The likeliest tokens that follow a row, each by a pass over the whole row.</summary>
    public static int[] Continue(CausalLanguageModel model, int[] ids, int count)
    {
        List<int> row = [.. ids];
        while (row.Count < ids.Length + count)
        {
            float[] logits = ComputeLogits(model, [.. row])[^1];
            row.Add(Array.IndexOf(logits, logits.Max()));
        }
        return [.. row.Skip(ids.Length)];
    }

    private static LlamaModel Create(LlamaConfiguration configuration) => new(configuration, seed: 3);

    // An untrained model is so close to uniform that little is seen of what it computes.
    private static void Spread(nn.Module model)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using Generator generator = new(5);
        foreach (Parameter parameter in model.parameters())
        {
            if (parameter.dim() >= 2)
                parameter.mul_(6);
            else
                parameter.add_(empty_like(parameter).normal_(0, 0.2, generator));
        }
    }
}
