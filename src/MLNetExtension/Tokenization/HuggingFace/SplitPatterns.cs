namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>The patterns by which the families of byte-level models split text into words, as their files spell them.</summary>
internal static class SplitPatterns
{
    /// <summary>GPT-2, and the <c>ByteLevel</c> pre-tokenizer with its own pattern.</summary>
    public const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <summary>Llama 3: contractions in either case, line breaks kept with what they end, numbers in groups of up to three digits.</summary>
    public const string Llama3 = $@"{Contractions}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}{Rest}";

    /// <summary>Qwen 2 and later: as Llama 3, with single digits.</summary>
    public const string Qwen2 = $@"{Contractions}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{Rest}";

    /// <summary>GPT-4o and gpt-oss: words end where capital letters begin, and keep their contraction.</summary>
    public const string Gpt4o =
        $@"[^\r\n\p{{L}}\p{{N}}]?[\p{{Lu}}\p{{Lt}}\p{{Lm}}\p{{Lo}}\p{{M}}]*[\p{{Ll}}\p{{Lm}}\p{{Lo}}\p{{M}}]+{Contractions}?|"
        + $@"[^\r\n\p{{L}}\p{{N}}]?[\p{{Lu}}\p{{Lt}}\p{{Lm}}\p{{Lo}}\p{{M}}]+[\p{{Ll}}\p{{Lm}}\p{{Lo}}\p{{M}}]*{Contractions}?|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string Contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private const string Rest = @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
}
