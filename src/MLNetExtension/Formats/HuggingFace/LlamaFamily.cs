namespace MLNetExtension.Formats.HuggingFace;

/// <summary>
/// A model type among Llama and its relatives: the defaults that Hugging Face's configuration class gives to keys missing from <c>config.json</c>, and the keys it has besides those that all have.
/// </summary>
internal sealed record LlamaFamily
{
    /// <summary>How a file says which layers have a sliding window.</summary>
    public enum WindowForm
    {
        /// <summary>None has.</summary>
        None,

        /// <summary>All have, where <c>sliding_window</c> is a number.</summary>
        AllLayers,

        /// <summary>Those from <c>max_window_layers</c> on, or those of <c>layer_types</c>, where <c>use_sliding_window</c> is true.</summary>
        UpperLayers,

        /// <summary>Those without rotation, or those of <c>layer_types</c>, where <c>use_sliding_window</c> is true.</summary>
        UnrotatedLayers,
    }

    /// <summary>The families by <see cref="ModelType"/>.</summary>
    public static IReadOnlyDictionary<string, LlamaFamily> All { get; } = new LlamaFamily[]
    {
        new()
        {
            ModelType = "llama",
            ClassName = "LlamaForCausalLM",
            HasAttentionBiasKey = true,
            HasFeedForwardBiasKey = true,
        },
        new()
        {
            ModelType = "mistral",
            ClassName = "MistralForCausalLM",
            KeyValueHeads = 8,
            SlidingWindow = 4096,
            Window = WindowForm.AllLayers,
        },
        new()
        {
            ModelType = "mixtral",
            ClassName = "MixtralForCausalLM",
            KeyValueHeads = 8,
            RotaryBase = 1e6,
            NormEpsilon = 1e-5,
            Window = WindowForm.AllLayers,
            HasExperts = true,
        },
        new()
        {
            ModelType = "qwen2",
            ClassName = "Qwen2ForCausalLM",
            KeyValueHeads = 32,
            QueryKeyValueBias = true,
            SlidingWindow = 4096,
            Window = WindowForm.UpperLayers,
        },
        new()
        {
            ModelType = "qwen3",
            ClassName = "Qwen3ForCausalLM",
            KeyValueHeads = 32,
            HeadWidth = 128,
            QueryKeyNorm = true,
            SlidingWindow = 4096,
            Window = WindowForm.UpperLayers,
            HasAttentionBiasKey = true,
        },
        new()
        {
            ModelType = "smollm3",
            ClassName = "SmolLM3ForCausalLM",
            KeyValueHeads = 4,
            RotaryBase = 2e6,
            TiedHead = true,
            Window = WindowForm.UnrotatedLayers,
            HasAttentionBiasKey = true,
            HasFeedForwardBiasKey = true,
            HasUnrotatedLayers = true,
        },
    }.ToDictionary(family => family.ModelType);

    /// <summary>The name that <c>model_type</c> gives.</summary>
    public required string ModelType { get; init; }

    /// <summary>The class that <c>architectures</c> names.</summary>
    public required string ClassName { get; init; }

    /// <summary>Default of <c>num_key_value_heads</c>; null for the number of query heads.</summary>
    public int? KeyValueHeads { get; init; }

    /// <summary>Default of <c>rope_theta</c>.</summary>
    public double RotaryBase { get; init; } = 10_000;

    /// <summary>Default of <c>rms_norm_eps</c>.</summary>
    public double NormEpsilon { get; init; } = 1e-6;

    /// <summary>Default of <c>head_dim</c>; null for the width divided by the heads.</summary>
    public int? HeadWidth { get; init; }

    /// <summary>Default of <c>tie_word_embeddings</c>.</summary>
    public bool TiedHead { get; init; }

    /// <summary>Whether the projections to queries, keys and values always have biases.</summary>
    public bool QueryKeyValueBias { get; init; }

    /// <summary>Whether queries and keys are normalized.</summary>
    public bool QueryKeyNorm { get; init; }

    /// <summary>Default of <c>sliding_window</c>.</summary>
    public int? SlidingWindow { get; init; }

    /// <summary>How a file says which layers have a sliding window.</summary>
    public WindowForm Window { get; init; }

    /// <summary>Whether there is a key <c>attention_bias</c>.</summary>
    public bool HasAttentionBiasKey { get; init; }

    /// <summary>Whether there is a key <c>mlp_bias</c>.</summary>
    public bool HasFeedForwardBiasKey { get; init; }

    /// <summary>Whether some layers are not rotated, those that <c>no_rope_layers</c> names.</summary>
    public bool HasUnrotatedLayers { get; init; }

    /// <summary>Whether a layer has several experts.</summary>
    public bool HasExperts { get; init; }
}
