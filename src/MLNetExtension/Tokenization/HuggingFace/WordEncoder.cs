using System.Collections.Concurrent;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Encodes words, one at a time, and remembers the short ones.</summary>
internal sealed class WordEncoder(IWordModel model)
{
    // Most words of a text are short and come again.
    private const int MaximumCachedLength = 128;
    private const int MaximumCachedWords = 1 << 16;

    // Where only the first tokens are needed, of longer words no more is encoded than these take.
    private const int LongWord = 1 << 14;

    private readonly ConcurrentDictionary<string, int[]> _cache = new(StringComparer.Ordinal);
    private int _cachedWords;

    /// <summary>Appends the ids of a text; where these are very many, at least as many as are needed.</summary>
    /// <param name="text">The text.</param>
    /// <param name="ids">Receives the ids.</param>
    /// <param name="needed">How many ids are needed.</param>
    public void Encode(ReadOnlySpan<char> text, List<int> ids, int needed = int.MaxValue)
    {
        int before = ids.Count;
        while (!text.IsEmpty && ids.Count - before < needed)
        {
            int length = model.FindWord(text);
            EncodeWord(text[..length], ids, needed - (ids.Count - before));
            text = text[length..];
        }
    }

    /// <summary>Appends the tokens of a text that stands at <paramref name="offset"/>.</summary>
    public void Encode(ReadOnlySpan<char> text, int offset, List<PlacedToken> tokens)
    {
        var found = new List<PlacedToken>();
        model.Encode(text, found);
        tokens.AddRange(found.Select(token => token with { Start = offset + token.Start, End = offset + token.End }));
    }

    private void EncodeWord(ReadOnlySpan<char> word, List<int> ids, int needed)
    {
        if (word.Length <= MaximumCachedLength)
        {
            ids.AddRange(_cache.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(word, out int[]? cached) ? cached : EncodeAndCache(word));
            return;
        }

        for (int length = LongWord; needed < int.MaxValue && length < word.Length / 2; length *= 4)
        {
            if (model.TryEncodeStart(word[..length], needed, ids))
                return;
        }

        model.Encode(word, ids);
    }

    private int[] EncodeAndCache(ReadOnlySpan<char> word)
    {
        var ids = new List<int>();
        model.Encode(word, ids);
        int[] encoded = [.. ids];
        if (_cachedWords < MaximumCachedWords && _cache.TryAdd(word.ToString(), encoded))
            Interlocked.Increment(ref _cachedWords);

        return encoded;
    }
}
