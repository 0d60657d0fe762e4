using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Llama;
using static TorchSharp.torch;

namespace MLNetExtension.Formats.Gguf;

/// <summary>Rotary frequencies in GGUF: their base, keys for scaling that llama.cpp computes itself, a tensor of factors for Llama 3's.</summary>
internal static class LlamaRotation
{
    /// <summary>Checks that the format can say how the frequencies are scaled.</summary>
    /// <exception cref="NotSupportedException">It cannot.</exception>
    public static void Check(LlamaConfiguration configuration, LlamaGraph graph)
    {
        string? what = configuration.RotaryScaling switch
        {
            null or RotaryScaling.Dynamic or RotaryScaling.Linear => null,
            RotaryScaling.Yarn { WholeIndices: false } => "rotary scaling of the type 'yarn' whose blend is not rounded to whole indices ('truncate': false)",
            RotaryScaling.Yarn => null,
            RotaryScaling.Llama3 => graph.HasRotaryFactors ? null : "rotary scaling of the type 'llama3'",
            { } other => $"rotary scaling of the class {other.GetType().Name}",
        };
        if (what is not null)
            throw new NotSupportedException($"A model of the type '{configuration.ModelType}' with {what} has no form in GGUF files.");
    }

    /// <summary>Adds the keys. (The dynamic kind has none: it acts on rows longer than the context alone.)</summary>
    public static void AddTo(GgufMetadata metadata, string name, LlamaConfiguration configuration)
    {
        metadata.Add($"{name}.rope.dimension_count", configuration.HeadWidth);
        metadata.Add($"{name}.rope.freq_base", configuration.RotaryBase);
        if (configuration.RotaryScaling is RotaryScaling.Linear linear)
        {
            metadata.Add($"{name}.rope.scaling.type", "linear");
            metadata.Add($"{name}.rope.scaling.factor", linear.Factor);
        }
        else if (configuration.RotaryScaling is RotaryScaling.Yarn yarn)
        {
            metadata.Add($"{name}.rope.scaling.type", "yarn");
            metadata.Add($"{name}.rope.scaling.factor", yarn.Factor);
            metadata.Add($"{name}.rope.scaling.original_context_length", yarn.OriginalContextLength);
            metadata.Add($"{name}.rope.scaling.yarn_beta_fast", yarn.FastTurns);
            metadata.Add($"{name}.rope.scaling.yarn_beta_slow", yarn.SlowTurns);
            // It multiplies what the paper's formula gives.
            if (yarn.AttentionFactor is not null)
                metadata.Add($"{name}.rope.scaling.attn_factor", yarn.Amplitude / (yarn with { AttentionFactor = null }).Amplitude);
        }
    }

    /// <summary>Lists the tensor of factors that frequencies are divided by, if there is one.</summary>
    public static IEnumerable<GgufTensor> ListTensors(LlamaConfiguration configuration)
    {
        if (configuration.RotaryScaling is not RotaryScaling.Llama3 llama3)
            yield break;
        double[] frequencies = [.. Enumerable.Range(0, configuration.HeadWidth / 2).Select(i => Math.Pow(configuration.RotaryBase, -2.0 * i / configuration.HeadWidth))];
        double[] factors = [.. frequencies.Zip(llama3.Apply(frequencies, configuration.RotaryBase), (frequency, scaled) => frequency / scaled)];
        yield return new GgufTensor("rope_freqs.weight", [factors.Length], [() => tensor(factors)]);
    }
}
