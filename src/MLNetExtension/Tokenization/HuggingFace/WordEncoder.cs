using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Microsoft.ML.Tokenizers;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Encodes words, one at a time.</summary>
internal sealed class WordEncoder
{
    // Most words of a text are short and come again.
    private const int MaximumCachedLength = 64;
    private const int MaximumCachedWords = 1 << 16;

    // Where only the first tokens are needed, of longer words no more is encoded than these take.
    private const int LongWord = 1 << 14;

    private readonly BytePairMerges _merges;
    private readonly Dictionary<int, string> _tokens;
    private readonly int _longestToken;
    private readonly ConcurrentDictionary<string, int[]> _cache = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _cached;
    private int _cachedWords;

    // Words that are tokens stay whole in these models, whatever the merges would give.
    private readonly IReadOnlyDictionary<string, int>? _wholeWords;

    public WordEncoder(TokenizerDefinition definition)
    {
        _wholeWords = definition.IgnoresMerges ? definition.Vocabulary : null;
        _tokens = definition.Vocabulary.ToDictionary(entry => entry.Value, entry => entry.Key);
        _longestToken = definition.Vocabulary.Keys.Max(token => token.Length);
        _merges = new BytePairMerges(definition);
        _cached = _cache.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>Appends the ids of a word; where these are very many, at least as many as are needed.</summary>
    /// <param name="word">The word.</param>
    /// <param name="ids">Receives the ids.</param>
    /// <param name="needed">How many ids are needed.</param>
    public void Encode(ReadOnlySpan<char> word, List<int> ids, int needed = int.MaxValue)
    {
        if (word.Length <= MaximumCachedLength)
        {
            ids.AddRange(_cached.TryGetValue(word, out int[]? cached) ? cached : EncodeAndCache(word));
            return;
        }

        for (int length = LongWord; needed < int.MaxValue && length < word.Length / 2; length *= 4)
        {
            if (TryEncodeStart(word[..length], ids, needed))
                return;
        }

        EncodeWhole(word, ids);
    }

    /// <summary>
    /// Appends the tokens of a word that stands at <paramref name="offset"/> of the text. A token that begins or ends inside a character has the
    /// whole character in its range.
    /// </summary>
    public void Encode(ReadOnlySpan<char> word, int offset, List<EncodedToken> tokens)
    {
        var ids = new List<int>();
        Encode(word, ids);

        // One char of a token is one byte of the word.
        var characters = new List<(int Start, int End)>(word.Length);
        for (int start = 0; start < word.Length;)
        {
            int chars = Wtf8.CountChars(word, start);
            for (int bytes = Wtf8.CountBytes(word[start], chars); bytes > 0; bytes--)
                characters.Add((offset + start, offset + start + chars));

            start += chars;
        }

        ReadOnlySpan<(int Start, int End)> rest = CollectionsMarshal.AsSpan(characters);
        foreach (int id in ids)
        {
            string token = _tokens[id];
            tokens.Add(new EncodedToken(id, token, rest[0].Start..rest[token.Length - 1].End));
            rest = rest[token.Length..];
        }
    }

    private int[] EncodeAndCache(ReadOnlySpan<char> word)
    {
        var ids = new List<int>();
        EncodeWhole(word, ids);
        int[] encoded = [.. ids];
        if (_cachedWords < MaximumCachedWords && _cached.TryAdd(word, encoded))
            Interlocked.Increment(ref _cachedWords);

        return encoded;
    }

    private void EncodeWhole(ReadOnlySpan<char> word, List<int> ids)
    {
        if (_wholeWords is not null && word.Length <= _longestToken && _wholeWords.TryGetValue(ByteAlphabet.Encode(word), out int id))
            ids.Add(id);
        else
            EncodeBytes(ToBytes(word), ids);
    }

    // A very long word goes part by part: behind a boundary that is certain, the rest is encoded as a word of its own.
    private void EncodeBytes(byte[] word, List<int> ids)
    {
        int start = 0;
        for (int length = LongWord; word.Length - start > 2L * length;)
        {
            int certain = CountCertain(word.AsMemory(start, length), out List<int> found, out List<int> ends);
            if (certain == 0)
            {
                length *= 4;
                continue;
            }
            ids.AddRange(CollectionsMarshal.AsSpan(found)[..certain]);
            start += ends[certain - 1];
            length = LongWord;
        }

        _merges.Encode(word.AsSpan(start), ids);
    }

    // False where the beginning is too short to be certain of the ids.
    private bool TryEncodeStart(ReadOnlySpan<char> start, List<int> ids, int needed)
    {
        byte[] bytes = ToBytes(char.IsHighSurrogate(start[^1]) ? start[..^1] : start);
        if (CountCertain(bytes, out List<int> found, out _) < needed)
            return false;

        ids.AddRange(CollectionsMarshal.AsSpan(found)[..needed]);
        return true;
    }

    // Of the tokens of the beginning of a word, how many stay as they are whatever follows.
    private int CountCertain(ReadOnlyMemory<byte> bytes, out List<int> found, out List<int> ends)
    {
        found = [];
        _merges.Encode(bytes.Span, found);
        ends = EndsOf(found, 0);
        int[] cuts = [.. Enumerable.Range(bytes.Length - _longestToken + 1, _longestToken).Where(cut => cut > 0)];
        return CertainPieces.Count(ends, cuts, _longestToken, Split);

        IReadOnlyList<int> Split(int from, int to)
        {
            var between = new List<int>();
            _merges.Encode(bytes.Span[from..to], between);
            return EndsOf(between, from);
        }
    }

    private List<int> EndsOf(List<int> ids, int start)
    {
        var ends = new List<int>(ids.Count);
        foreach (int id in ids)
            ends.Add(start += _tokens[id].Length);

        return ends;
    }

    private static byte[] ToBytes(ReadOnlySpan<char> word)
    {
        var bytes = new byte[Wtf8.CountBytes(word)];
        Wtf8.Encode(word, bytes, out _);
        return bytes;
    }
}
