using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tokenization.Vocabulary;

public sealed partial class BytePairTrainer
{
    /// <summary>The options of training a vocabulary.</summary>
    public sealed class Options
    {
        /// <summary>The most tokens: 256 bytes, merges and special tokens. At least 256 and the number of special tokens. Default 8192.</summary>
        public int VocabularySize = Defaults.VocabularySize;

        /// <summary>How often a pair must occur in the texts to be merged; at least 1. Default 2.</summary>
        public int MinimumPairCount = Defaults.MinimumPairCount;

        /// <summary>The pattern that splits text into words, in which alone pairs are merged: one of <see cref="SplitPatterns"/>. Default
        /// <see cref="SplitPatterns.Gpt2"/>.</summary>
        public string Pattern = SplitPatterns.Gpt2;

        /// <summary>The special tokens, which get the last ids in this order. The first ends a text. Default <c>&lt;|endoftext|&gt;</c>
        /// alone.</summary>
        public string[] SpecialTokens = ["<|endoftext|>"];

        /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
        internal void Validate()
        {
            bool areTokens = SpecialTokens is { Length: > 0 } && !SpecialTokens.Any(string.IsNullOrEmpty) && SpecialTokens.Distinct().Count() == SpecialTokens.Length;
            Require.That(areTokens, SpecialTokens, "at least one token, none empty and none twice");
            int minimum = ByteCount + SpecialTokens!.Length;
            Require.That(VocabularySize >= minimum, VocabularySize, $"at least {minimum}: {ByteCount} bytes and the special tokens");
            Require.That(MinimumPairCount >= 1, MinimumPairCount, "at least 1");
        }
    }

    /// <summary>The values that <see cref="Options"/> begins with.</summary>
    internal static class Defaults
    {
        public const int VocabularySize = 8192;
        public const int MinimumPairCount = 2;
    }
}
