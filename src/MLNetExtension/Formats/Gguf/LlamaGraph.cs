using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Llama;

namespace MLNetExtension.Formats.Gguf;

/// <summary>What llama.cpp computes for one of its architectures, of what Llama and its relatives can have. Source: <c>src/models/</c> of https://github.com/ggml-org/llama.cpp.</summary>
internal sealed record LlamaGraph
{
    private static readonly LlamaGraph Llama = new() { Name = "llama", RotatesNeighbours = true, HasEveryBias = true, HasRotaryFactors = true, HasExperts = true };

    // By model types of Hugging Face's files.
    private static readonly Dictionary<string, LlamaGraph> All = new()
    {
        ["llama"] = Llama,
        ["mistral"] = Llama,
        ["mixtral"] = Llama,
        ["qwen2"] = new() { Name = "qwen2", HasQueryKeyValueBias = true },
        ["qwen3"] = new() { Name = "qwen3", HasQueryKeyNorm = true },
    };

    /// <summary>The architecture's name.</summary>
    public required string Name { get; init; }

    /// <summary>Whether neighbouring coordinates of a head are rotated together, and not the first half with the second.</summary>
    public bool RotatesNeighbours { get; init; }

    /// <summary>Whether any linear layer may have a bias.</summary>
    public bool HasEveryBias { get; init; }

    /// <summary>Whether the projections to queries, keys and values, and no other layers, have biases.</summary>
    public bool HasQueryKeyValueBias { get; init; }

    /// <summary>Whether queries and keys are normalized.</summary>
    public bool HasQueryKeyNorm { get; init; }

    /// <summary>Whether each rotary frequency may have a factor of its own.</summary>
    public bool HasRotaryFactors { get; init; }

    /// <summary>Whether a layer may have experts, weighted by their shares among those chosen.</summary>
    public bool HasExperts { get; init; }

    /// <summary>Finds the architecture of a model type.</summary>
    /// <exception cref="NotSupportedException">There is none.</exception>
    public static LlamaGraph Of(string modelType) => All.TryGetValue(modelType, out LlamaGraph? graph) ? graph
        : throw new NotSupportedException($"A model of the type '{modelType}' cannot be written as GGUF; known are gpt2, {string.Join(", ", All.Keys)}.");

    /// <summary>Checks that a model is what this computes.</summary>
    /// <exception cref="NotSupportedException">It is not; the message says in what it differs.</exception>
    public void Check(LlamaConfiguration configuration)
    {
        int? window = Enumerable.Range(0, configuration.Layers).Min(configuration.WindowOf);
        (bool Differs, string What)[] differences =
        [
            (configuration.Activation != Activation.Silu, $"the activation {ActivationNames.Find(configuration.Activation)}, expected silu,"),
            (window < configuration.ContextLength, $"a sliding window of {window} positions, which llama.cpp ignores,"),
            (configuration.UnrotatedLayers.Count > 0, "layers without rotation"),
            (configuration.QueryKeyNorm != HasQueryKeyNorm, $"{(HasQueryKeyNorm ? "no " : "")}norms of queries and keys"),
            (configuration.QueryKeyValueBias && !(HasEveryBias || HasQueryKeyValueBias), "biases of queries, keys and values"),
            (!configuration.QueryKeyValueBias && HasQueryKeyValueBias, "no biases of queries, keys and values"),
            (configuration.AttentionOutputBias && !HasEveryBias, "a bias of the attention's output"),
            (configuration.FeedForwardBias && !HasEveryBias, "biases of the feed-forward networks"),
            (configuration.Experts > 0 && !(HasExperts && HasUsualExperts(configuration)), "such experts"),
            (!IsUsual(configuration), "options of another family"),
        ];
        if (differences.FirstOrDefault(difference => difference.Differs).What is { } what)
            throw new NotSupportedException($"A model of the type '{configuration.ModelType}' with {what} has no form in GGUF files.");
    }

    private static bool HasUsualExperts(LlamaConfiguration configuration) =>
        configuration.ExpertWeightsSumToOne && configuration.DenseLayers.Count == 0 && configuration.ExpertWidth == configuration.FeedForwardWidth;

    // What families have that are not here.
    private static bool IsUsual(LlamaConfiguration configuration) =>
        configuration is { Norms: NormPlacement.Before, NormsAddOne: false, ScalesEmbedding: false, LogitCap: null, ScoreCap: null, QueryKeyNormSpansHeads: false, LocalRotaryBase: null }
        && configuration.ScoreScalar == configuration.HeadWidth && configuration.RotaryWidth == configuration.HeadWidth;
}
