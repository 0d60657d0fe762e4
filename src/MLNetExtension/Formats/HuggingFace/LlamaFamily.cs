namespace MLNetExtension.Formats.HuggingFace;

/// <summary>
/// What a relative of Llama takes where its <c>config.json</c> is silent, as Hugging Face's configuration classes have it, and which keys it knows besides those that all know.
/// </summary>
/// <param name="ClassName">The class that <c>architectures</c> names.</param>
/// <param name="KeyValueHeads">Heads of keys and values; null for as many as of queries.</param>
/// <param name="RotaryBase">Base of the rotary frequencies.</param>
/// <param name="NormEpsilon">What norms add to the mean square.</param>
/// <param name="HeadWidth">Width of a head; null for the width divided by the heads.</param>
/// <param name="TiedHead">Whether the head is the embedding.</param>
/// <param name="QueryKeyValueBias">Whether it has these biases whatever its file says.</param>
/// <param name="QueryKeyNorm">Whether it has these norms.</param>
/// <param name="SlidingWindow">The window.</param>
/// <param name="KnowsBiases">Whether it knows <c>attention_bias</c>.</param>
/// <param name="KnowsFeedForwardBias">Whether it knows <c>mlp_bias</c>.</param>
/// <param name="Window">How it says which layers have a window.</param>
internal sealed record LlamaFamily(
    string ClassName,
    int? KeyValueHeads,
    double RotaryBase = 10_000,
    double NormEpsilon = 1e-6,
    int? HeadWidth = null,
    bool TiedHead = false,
    bool QueryKeyValueBias = false,
    bool QueryKeyNorm = false,
    int? SlidingWindow = null,
    bool KnowsBiases = false,
    bool KnowsFeedForwardBias = false,
    LlamaFamily.WindowForm Window = LlamaFamily.WindowForm.None)
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

    public static IReadOnlyDictionary<string, LlamaFamily> All { get; } = new Dictionary<string, LlamaFamily>
    {
        ["llama"] = new("LlamaForCausalLM", null, KnowsBiases: true, KnowsFeedForwardBias: true),
        ["mistral"] = new("MistralForCausalLM", 8, SlidingWindow: 4096, Window: WindowForm.AllLayers),
        ["mixtral"] = new("MixtralForCausalLM", 8, RotaryBase: 1e6, NormEpsilon: 1e-5, Window: WindowForm.AllLayers),
        ["qwen2"] = new("Qwen2ForCausalLM", 32, QueryKeyValueBias: true, SlidingWindow: 4096, Window: WindowForm.UpperLayers),
        ["qwen3"] = new("Qwen3ForCausalLM", 32, HeadWidth: 128, QueryKeyNorm: true, SlidingWindow: 4096, KnowsBiases: true, Window: WindowForm.UpperLayers),
        ["smollm3"] = new("SmolLM3ForCausalLM", 4, RotaryBase: 2e6, TiedHead: true, KnowsBiases: true, KnowsFeedForwardBias: true, Window: WindowForm.UnrotatedLayers),
    };
}
