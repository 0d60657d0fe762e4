using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Llama;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models.Llama;

/// <summary>A Llama small enough for a test, with grouped heads, a sliding window, norms of queries and keys, one block without rotation, in float64.</summary>
internal static class TinyLlama
{
    public static LlamaConfiguration Configuration { get; } = new()
    {
        VocabularySize = Ragged.Vocabulary,
        ContextLength = 24,
        Layers = 3,
        Width = 12,
        FeedForwardWidth = 20,
        Heads = 4,
        KeyValueHeads = 2,
        HeadWidth = 6,
        RotaryBase = 100,
        QueryKeyNorm = true,
        QueryKeyValueBias = true,
        UnrotatedLayers = [1],
        SlidingWindow = 5,
        SlidingLayers = [0, 1],
    };

    /// <summary>Published model types that differ from Llama in more than sizes and defaults.</summary>
    public static IReadOnlyList<string> Types { get; } = ["olmo2", "qwen3_moe", "phi3", "gemma2", "gemma3_text"];

    /// <summary>The longest row of the Phi 3 that has the frequencies of short rows.</summary>
    public const int ShortRowLimit = 9;

    /// <summary>A small model of one of <see cref="Types"/>, as its files can describe it, with every option of the type in use.</summary>
    public static LlamaConfiguration OfType(string type)
    {
        LlamaConfiguration plain = Configuration with { ModelType = type, QueryKeyNorm = false, QueryKeyValueBias = false, UnrotatedLayers = [], SlidingWindow = null, SlidingLayers = null };
        LlamaConfiguration gemma = plain with
        {
            Norms = NormPlacement.Both,
            NormsAddOne = true,
            ScalesEmbedding = true,
            TiedHead = true,
            Activation = Activation.GeluTanh,
            ScoreScalar = 10,
            SlidingWindow = 5,
            SlidingLayers = [0, 1],
        };
        return type switch
        {
            "olmo2" => plain with { Norms = NormPlacement.After, QueryKeyNorm = true, QueryKeyNormSpansHeads = true },
            "qwen3_moe" => plain with { QueryKeyNorm = true, Experts = 4, ExpertsPerToken = 2, ExpertWidth = 10, ExpertWeightsSumToOne = false, DenseLayers = [1] },
            "phi3" => plain with { RotaryWidth = 4, SlidingWindow = 7, RotaryScaling = new RotaryScaling.LongRope([1.05, 1.5], [2, 5], ShortRowLimit, Configuration.ContextLength / (double)ShortRowLimit) },
            "gemma2" => gemma with { ScoreCap = 2, LogitCap = 3, SlidingLayers = [0, 2] },
            "gemma3_text" => gemma with { QueryKeyNorm = true, LocalRotaryBase = 20, RotaryScaling = new RotaryScaling.Linear(8) },
            _ => throw new ArgumentOutOfRangeException(nameof(type), type, null),
        };
    }

    public static LlamaModel Make(LlamaConfiguration? configuration = null, ScalarType dtype = ScalarType.Float64)
    {
        LlamaModel model = new(configuration ?? Configuration, seed: 3);
        model.to(dtype);
        Spread(model);
        return model;
    }

    // An untrained model is so close to uniform that little is seen of what it computes.
    public static void Spread(nn.Module model)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using Generator generator = new(5);
        foreach (Parameter parameter in model.parameters())
        {
            if (parameter.dim() >= 2)
                parameter.mul_(12);
            else
                parameter.add_(empty_like(parameter).normal_(0, 0.2, generator));
        }
    }
}
