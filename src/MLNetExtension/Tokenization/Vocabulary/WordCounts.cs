using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tokenization.Vocabulary;

/// <summary>How often each word stands in texts. Words repeat, so what follows looks at each once.</summary>
internal sealed class WordCounts
{
    private readonly PatternPreTokenizer _splitter;
    private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private readonly List<(int Offset, int Length)> _words = [];

    public WordCounts(string pattern)
    {
        _splitter = new PatternPreTokenizer([pattern]);
        _lookup = _counts.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>The texts counted so far.</summary>
    public long Texts { get; private set; }

    /// <summary>Their chars.</summary>
    public long Chars { get; private set; }

    /// <summary>The words and their counts.</summary>
    public IReadOnlyDictionary<string, long> Words => _counts;

    public void Add(string text)
    {
        _words.Clear();
        _splitter.Split(text, _words);
        foreach ((int offset, int length) in _words)
        {
            ReadOnlySpan<char> word = text.AsSpan(offset, length);
            _lookup.TryGetValue(word, out long count);
            _lookup[word] = count + 1;
        }

        Texts++;
        Chars += text.Length;
    }
}
