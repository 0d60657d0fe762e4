using System.Text.Json;
using System.Text.Json.Nodes;
using MLNetExtension.Files;
using MLNetExtension.Models;
using MLNetExtension.Models.Llama;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>How a model type's files describe experts: keys of <c>config.json</c>, and names of tensors.</summary>
internal sealed record LlamaExpertKeys
{
    private const string DenseLayersKey = "mlp_only_layers", IntervalKey = "decoder_sparse_step", WidthKey = "moe_intermediate_size", SumKey = "norm_topk_prob", PerTokenKey = "num_experts_per_tok";

    private const int DefaultWidth = 768;

    /// <summary>Mixtral's.</summary>
    public static LlamaExpertKeys Mixtral { get; } = new() { Count = "num_local_experts", DefaultCount = 8, DefaultPerToken = 2, Module = "block_sparse_moe.", Gate = "w1", Up = "w3", Down = "w2" };

    /// <summary>Qwen 3's, where some layers may have none, and experts have a width of their own.</summary>
    public static LlamaExpertKeys Qwen3 { get; } = new()
    {
        Count = "num_experts", OtherCount = "num_local_experts", DefaultCount = 128, DefaultPerToken = 8, Module = "mlp.", Gate = "gate_proj", Up = "up_proj", Down = "down_proj", HasLayersAndWidth = true,
    };

    /// <summary>Key of the number of experts.</summary>
    public required string Count { get; init; }

    /// <summary>Another key for it, which later files have; null for none.</summary>
    public string? OtherCount { get; init; }

    /// <summary>Default of the number of experts.</summary>
    public required int DefaultCount { get; init; }

    /// <summary>Default of <c>num_experts_per_tok</c>.</summary>
    public required int DefaultPerToken { get; init; }

    /// <summary>Where a layer's router and experts are.</summary>
    public required string Module { get; init; }

    /// <summary>Name of an expert's gate.</summary>
    public required string Gate { get; init; }

    /// <summary>Name of the matrix beside it.</summary>
    public required string Up { get; init; }

    /// <summary>Name of the matrix back to the model's width.</summary>
    public required string Down { get; init; }

    /// <summary>Whether there are keys of the layers without experts, of their width, and of whether their weights sum to 1.</summary>
    public bool HasLayersAndWidth { get; init; }

    /// <summary>Adds what the keys say to a configuration.</summary>
    public LlamaConfiguration Read(JsonObjectReader reader, LlamaConfiguration configuration)
    {
        int? other = OtherCount is null ? null : reader.FindInteger(OtherCount);
        int experts = reader.GetInteger(Count, other ?? DefaultCount);
        if (other is { } count && count != experts)
            throw new InvalidDataException($"{reader.Name}: '{Count}' is {experts} and '{OtherCount}' is {count}; expected one of them.");
        configuration = configuration with
        {
            Experts = experts,
            ExpertsPerToken = reader.GetInteger(PerTokenKey, DefaultPerToken, maximum: experts),
            // Hugging Face's code adds the balance loss only where it is to return the router's logits.
            RouterBalanceCoefficient = reader.GetBoolean("output_router_logits", false) ? reader.GetNumber("router_aux_loss_coef", SafeRanges.Coefficient, 0.001) : 0,
        };
        return !HasLayersAndWidth ? configuration : configuration with
        {
            ExpertWidth = reader.GetInteger(WidthKey, DefaultWidth),
            ExpertWeightsSumToOne = reader.GetBoolean(SumKey, false),
            DenseLayers = ReadDenseLayers(reader, configuration.Layers),
        };
    }

    /// <summary>Writes what <see cref="Read"/> reads.</summary>
    public void Write(LlamaConfiguration configuration, JsonObject json)
    {
        json[Count] = configuration.Experts;
        json[PerTokenKey] = configuration.ExpertsPerToken;
        if (!HasLayersAndWidth)
            return;
        json[WidthKey] = configuration.ExpertWidth;
        json[SumKey] = configuration.ExpertWeightsSumToOne;
        json[IntervalKey] = 1;
        json[DenseLayersKey] = new JsonArray([.. configuration.DenseLayers.Select(layer => (JsonNode)layer)]);
    }

    private static int[] ReadDenseLayers(JsonObjectReader reader, int layers)
    {
        int interval = reader.GetInteger(IntervalKey, 1);
        HashSet<int> dense = [.. Enumerable.Range(0, layers).Where(layer => (layer + 1) % interval != 0)];
        foreach (JsonElement item in reader.GetItems(DenseLayersKey))
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt32(out int layer) || layer < 0 || layer >= layers)
                throw reader.Unexpected(DenseLayersKey, item, $"numbers of layers, from 0 to {layers - 1}");
            dense.Add(layer);
        }
        return [.. dense.Order()];
    }
}
