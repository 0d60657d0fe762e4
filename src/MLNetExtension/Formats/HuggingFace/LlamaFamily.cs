using MLNetExtension.Models.Llama;

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

        /// <summary>All but every n-th, or those of <c>layer_types</c>, where <c>sliding_window</c> is a number.</summary>
        Alternating,
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
            Experts = LlamaExpertKeys.Mixtral,
            OnlyValue = new Dictionary<string, string> { ["router_jitter_noise"] = "0.0" },
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
        new()
        {
            ModelType = "olmo2",
            ClassName = "Olmo2ForCausalLM",
            NormEpsilon = 1e-5,
            Norms = NormPlacement.After,
            QueryKeyNorm = true,
            QueryKeyNormSpansHeads = true,
            HasAttentionBiasKey = true,
        },
        new()
        {
            ModelType = "qwen3_moe",
            ClassName = "Qwen3MoeForCausalLM",
            KeyValueHeads = 4,
            QueryKeyNorm = true,
            HasAttentionBiasKey = true,
            Experts = LlamaExpertKeys.Qwen3,
            // Versions of transformers differ in which layers would have the window.
            OnlyValue = new Dictionary<string, string> { ["use_sliding_window"] = "false" },
            Ignored = ["sliding_window", "max_window_layers"],
        },
        new()
        {
            ModelType = "phi3",
            ClassName = "Phi3ForCausalLM",
            NormEpsilon = 1e-5,
            Window = WindowForm.AllLayers,
            JoinsMatrices = true,
            HasPartialRotation = true,
            OriginalContextLength = 4096,
            OnlyValue = new Dictionary<string, string>
            {
                ["attention_bias"] = "false",
                ["mlp_bias"] = "false",
                ["lm_head_bias"] = "false",
                ["embd_pdrop"] = "0.0",
                ["resid_pdrop"] = "0.0",
                ["full_attn_mod"] = "1",
                ["interpolate_factor"] = "1",
            },
        },
        Gemma("gemma2", "Gemma2ForCausalLM") with
        {
            WindowPattern = 2,
            ScoreCap = 50,
            LogitCap = 30,
        },
        Gemma("gemma3_text", "Gemma3ForCausalLM") with
        {
            RotaryBase = 1e6,
            LocalRotaryBase = 10_000,
            VocabularySize = 262_208,
            ContextLength = 131_072,
            Heads = 8,
            WindowPattern = 6,
            QueryKeyNorm = true,
        },
    }.ToDictionary(family => family.ModelType);

    private static LlamaFamily Gemma(string modelType, string className) => new()
    {
        ModelType = modelType,
        ClassName = className,
        KeyValueHeads = 4,
        HeadWidth = 256,
        TiedHead = true,
        Norms = NormPlacement.Both,
        NormsAddOne = true,
        ScalesEmbedding = true,
        ActivationKey = "hidden_activation",
        ActivationName = "gelu_pytorch_tanh",
        ScoreScalar = 256,
        SlidingWindow = 4096,
        Window = WindowForm.Alternating,
        HasAttentionBiasKey = true,
        OnlyValue = new Dictionary<string, string> { ["use_bidirectional_attention"] = "false" },
        Ignored = ["hidden_act"],    // another key of the same meaning, which Gemma's code does not look at
    };

    /// <summary>The name that <c>model_type</c> gives.</summary>
    public required string ModelType { get; init; }

    /// <summary>The class that <c>architectures</c> names.</summary>
    public required string ClassName { get; init; }

    /// <summary>Default of <c>vocab_size</c>; null where the file must name it.</summary>
    public int? VocabularySize { get; init; }

    /// <summary>Default of <c>max_position_embeddings</c>; null where the file must name it.</summary>
    public int? ContextLength { get; init; }

    /// <summary>Default of <c>num_attention_heads</c>; null where the file must name it.</summary>
    public int? Heads { get; init; }

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

    /// <summary>Where the norms of a block are.</summary>
    public NormPlacement Norms { get; init; }

    /// <summary>Whether norms multiply by 1 + weight.</summary>
    public bool NormsAddOne { get; init; }

    /// <summary>Whether embedded tokens are multiplied by the square root of the width.</summary>
    public bool ScalesEmbedding { get; init; }

    /// <summary>The key of the activation.</summary>
    public string ActivationKey { get; init; } = "hidden_act";

    /// <summary>Default of <see cref="ActivationKey"/>, and the name that is written for what it stands for.</summary>
    public string ActivationName { get; init; } = "silu";

    /// <summary>Whether queries and keys are normalized.</summary>
    public bool QueryKeyNorm { get; init; }

    /// <summary>Whether all heads are normalized together.</summary>
    public bool QueryKeyNormSpansHeads { get; init; }

    /// <summary>Default of <c>query_pre_attn_scalar</c>; null where there is no such key, and none that caps scores or logits.</summary>
    public double? ScoreScalar { get; init; }

    /// <summary>Default of <c>attn_logit_softcapping</c>; null where nothing but null is supported.</summary>
    public double? ScoreCap { get; init; }

    /// <summary>Default of <c>final_logit_softcapping</c>.</summary>
    public double? LogitCap { get; init; }

    /// <summary>Default of <c>sliding_window</c>.</summary>
    public int? SlidingWindow { get; init; }

    /// <summary>How a file says which layers have a sliding window.</summary>
    public WindowForm Window { get; init; }

    /// <summary>Where <see cref="Window"/> is <see cref="WindowForm.Alternating"/>: n, the default of <c>sliding_window_pattern</c>.</summary>
    public int WindowPattern { get; init; }

    /// <summary>Default of <c>rope_local_base_freq</c>, the base in layers with a sliding window; null where there is no such key.</summary>
    public double? LocalRotaryBase { get; init; }

    /// <summary>Whether <c>partial_rotary_factor</c> may be less than 1.</summary>
    public bool HasPartialRotation { get; init; }

    /// <summary>Default of <c>original_max_position_embeddings</c>, a key of the whole file; null where it is one of the rotary scaling.</summary>
    public int? OriginalContextLength { get; init; }

    /// <summary>Whether there is a key <c>attention_bias</c>.</summary>
    public bool HasAttentionBiasKey { get; init; }

    /// <summary>Whether there is a key <c>mlp_bias</c>.</summary>
    public bool HasFeedForwardBiasKey { get; init; }

    /// <summary>Whether some layers are not rotated, those that <c>no_rope_layers</c> names.</summary>
    public bool HasUnrotatedLayers { get; init; }

    /// <summary>The keys and names of experts; null where there are none.</summary>
    public LlamaExpertKeys? Experts { get; init; }

    /// <summary>Whether queries, keys and values are one matrix in the files, and gate and up are another.</summary>
    public bool JoinsMatrices { get; init; }

    /// <summary>Keys with the one value, as JSON, that is supported.</summary>
    public IReadOnlyDictionary<string, string> OnlyValue { get; init; } = new Dictionary<string, string>();

    /// <summary>Keys that change nothing in this family's models.</summary>
    public IReadOnlyList<string> Ignored { get; init; } = [];
}
