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
