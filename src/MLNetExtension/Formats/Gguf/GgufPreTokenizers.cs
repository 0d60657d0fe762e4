using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Formats.Gguf;

/// <summary>The names by which llama.cpp knows how text is split into words; it has the patterns themselves, and the file only such a name.</summary>
/// <remarks>Source: <c>src/llama-vocab.cpp</c> of https://github.com/ggml-org/llama.cpp. Those of its names are left out whose patterns there only come near those of the models they are for.</remarks>
internal static class GgufPreTokenizers
{
    private static readonly (string[] Patterns, bool IgnoresMerges, string Name)[] All =
    [
        ([SplitPatterns.Gpt2], false, "gpt-2"),
        ([SplitPatterns.Llama3], true, "llama-bpe"),
        ([SplitPatterns.Llama3], false, "smaug-bpe"),
        ([SplitPatterns.Qwen2], false, "qwen2"),
        ([@"\p{N}", SplitPatterns.Gpt2], false, "smollm"),
    ];

    /// <summary>Finds the name for the steps that split text.</summary>
    /// <param name="steps">The steps.</param>
    /// <param name="ignoresMerges">Whether a word that is a token becomes that token, whatever the merges would give.</param>
    /// <exception cref="NotSupportedException">There is none; the message shows the patterns.</exception>
    public static string Find(IReadOnlyList<ISplitStep> steps, bool ignoresMerges)
    {
        string[] patterns = [.. steps.Select(step => step is PatternStep { Pattern: WordPattern pattern, Behavior: MatchBehavior.Isolated, IsInverted: false } ? pattern.Pattern : $"a {step.GetType().Name}")];
        return All.FirstOrDefault(known => known.IgnoresMerges == ignoresMerges && known.Patterns.SequenceEqual(patterns)).Name
            ?? throw new NotSupportedException(
                $"The tokenizer splits text by {(patterns.Length == 0 ? "no pattern" : string.Join(" and then by ", patterns.Select(pattern => $"'{pattern}'")))}"
                + $"{(ignoresMerges ? ", and words that are tokens are not merged," : ",")} which no pre-tokenizer of llama.cpp does.");
    }
}
