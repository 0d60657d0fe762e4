using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tokenization.Vocabulary;

/// <summary>Counts how often each word occurs in texts.</summary>
internal sealed class WordCounter
{
    private readonly PatternPreTokenizer _splitter;
    private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long>.AlternateLookup<ReadOnlySpan<char>> _lookup;

    /// <param name="pattern">The pattern that splits texts into words.</param>
    /// <param name="limits">The time that it may take; null for the default.</param>
    public WordCounter(string pattern, WordPatternLimits? limits = null)
    {
        _splitter = new PatternPreTokenizer([pattern], nameof(BytePairTrainer.Options.Pattern), limits);
        _lookup = _counts.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>The number of texts so far.</summary>
    public long Texts { get; private set; }

    /// <summary>The number of their chars.</summary>
    public long Chars { get; private set; }

    /// <summary>The words and their counts.</summary>
    public IReadOnlyDictionary<string, long> Words => _counts;

    /// <summary>Counts the words of a text.</summary>
    public void Add(string text)
    {
        _splitter.Split(text.AsMemory(), isFirst: true, (word, _) =>
        {
            _lookup.TryGetValue(word.Span, out long count);
            _lookup[word.Span] = count + 1;
            return true;
        });
        Texts++;
        Chars += text.Length;
    }
}
