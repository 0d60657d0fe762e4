using System.Runtime.InteropServices;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Makes tokens of words by merging pairs.</summary>
internal sealed class BytePairWords : IWordModel
{
    private const int LongPart = 1 << 14;
    private const int ShortWord = 64;

    private readonly WordSymbols _symbols;
    private readonly BytePairMerges _merges;
    private readonly bool _isByteLevel;
    private readonly int _longestToken;
    private readonly TokenSpaces _spaces;

    // Words that are tokens stay whole in these models, whatever the merges would give.
    private readonly Dictionary<string, int>? _wholeWords;

    /// <summary>Prepares a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="isByteLevel">Whether words are bytes, in the characters of <see cref="ByteAlphabet"/>.</param>
    /// <param name="notInText">Ids that a text cannot have.</param>
    public BytePairWords(BytePairModel model, bool isByteLevel, IReadOnlySet<int> notInText)
    {
        _isByteLevel = isByteLevel;
        _wholeWords = model.IgnoresMerges ? model.Vocabulary.Where(entry => !notInText.Contains(entry.Value)).ToDictionary() : null;
        _longestToken = model.Vocabulary.Keys.Max(token => token.Length);
        _symbols = new WordSymbols(model, isByteLevel);
        _merges = new BytePairMerges(model, notInText);
        _spaces = isByteLevel ? TokenSpaces.None : TokenSpaces.Of(model);
    }

    /// <inheritdoc/>
    public int FindWord(ReadOnlySpan<char> text) => _isByteLevel ? text.Length : _spaces.FindWord(text);

    /// <inheritdoc/>
    public void Encode(ReadOnlySpan<char> word, List<int> ids)
    {
        if (FindWhole(word) is { } whole)
        {
            ids.Add(whole);
            return;
        }

        int maximum = WordSymbols.MaximumPerChar * word.Length;
        Span<int> symbols = word.Length <= ShortWord ? stackalloc int[maximum] : new int[maximum];
        symbols = symbols[.._symbols.Write(word, symbols, [])];

        // A very long word goes part by part: behind a boundary that is certain, the rest is encoded as a word of its own.
        for (int length = LongPart; symbols.Length > 2L * length;)
        {
            int certain = CountCertain(symbols[..length].ToArray(), out List<int> found, out List<int> ends);
            if (certain == 0)
            {
                length *= 4;
                continue;
            }

            ids.AddRange(CollectionsMarshal.AsSpan(found)[..certain]);
            symbols = symbols[ends[certain - 1]..];
            length = LongPart;
        }

        _merges.Encode(symbols, ids);
    }

    /// <inheritdoc/>
    public void Encode(ReadOnlySpan<char> word, List<PlacedToken> tokens)
    {
        if (FindWhole(word) is { } whole)
        {
            tokens.Add(new PlacedToken(whole, 0, word.Length));
            return;
        }

        int[] symbols = new int[WordSymbols.MaximumPerChar * word.Length];
        var places = new (int Start, int End)[symbols.Length];
        int count = _symbols.Write(word, symbols, places);
        List<int> ids = [], ends = [];
        _merges.Encode(symbols.AsSpan(0, count), ids, ends);
        for (int i = 0; i < ids.Count; i++)
            tokens.Add(new PlacedToken(ids[i], places[i == 0 ? 0 : ends[i - 1]].Start, places[ends[i] - 1].End));
    }

    /// <inheritdoc/>
    public bool TryEncodeStart(ReadOnlySpan<char> start, int needed, List<int> ids)
    {
        ReadOnlySpan<char> known = char.IsHighSurrogate(start[^1]) ? start[..^1] : start;
        int[] symbols = new int[WordSymbols.MaximumPerChar * known.Length];
        int count = _symbols.Write(known, symbols, []);
        // The last symbol may stand for unknown characters, of which more may follow.
        if (CountCertain(symbols.AsMemory(0, Math.Max(0, count - 1)), out List<int> found, out _) < needed)
            return false;

        ids.AddRange(CollectionsMarshal.AsSpan(found)[..needed]);
        return true;
    }

    private int? FindWhole(ReadOnlySpan<char> word)
    {
        if (_wholeWords is null || word.Length > _longestToken)
            return null;

        return _wholeWords.TryGetValue(_isByteLevel ? ByteAlphabet.Encode(word) : word.ToString(), out int id) ? id : null;
    }

    // Of the tokens of the beginning of a word, how many stay as they are whatever follows.
    private int CountCertain(ReadOnlyMemory<int> symbols, out List<int> found, out List<int> ends)
    {
        (found, ends) = ([], []);
        _merges.Encode(symbols.Span, found, ends);
        if (ends.Count == 0)
            return 0;

        int[] cuts = [.. Enumerable.Range(symbols.Length - _longestToken + 1, _longestToken).Where(cut => cut > 0)];
        return CertainPieces.Count(ends, cuts, _longestToken, Split);

        IReadOnlyList<int> Split(int from, int to)
        {
            List<int> between = [], places = [];
            _merges.Encode(symbols.Span[from..to], between, places);
            return [.. places.Select(place => from + place)];
        }
    }
}
