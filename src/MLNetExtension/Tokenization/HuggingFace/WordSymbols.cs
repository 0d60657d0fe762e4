using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Makes of a word the tokens that are merged at first: those of its bytes, or those of its characters.</summary>
internal sealed class WordSymbols
{
    /// <summary>The symbols that a char gives at most.</summary>
    public const int MaximumPerChar = 3;

    private const int None = -1;

    private readonly int[] _byteIds;
    private readonly Dictionary<int, int>? _characterIds;
    private readonly int _unknownId = None;
    private readonly bool _fusesUnknown;

    /// <summary>Prepares the symbols of a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="isByteLevel">Whether words are bytes, in the characters of <see cref="ByteAlphabet"/>.</param>
    public WordSymbols(BytePairModel model, bool isByteLevel)
    {
        var bytes = Enumerable.Range(0, byte.MaxValue + 1);
        _byteIds = [.. isByteLevel ? bytes.Select(value => model.Vocabulary[ByteAlphabet.GetChar((byte)value).ToString()]) : model.HasByteFallback ? bytes.Select(value => model.Vocabulary[TokenModel.ByteToken(value)]) : []];
        if (isByteLevel)
            return;

        _characterIds = [];
        foreach ((string token, int id) in model.Vocabulary)
        {
            if (Wtf8.CountChars(token, 0) == token.Length)
                _characterIds.Add(CodeOf(token), id);
        }

        _unknownId = model.UnknownToken is { } unknown ? model.Vocabulary[unknown] : None;
        _fusesUnknown = model.FusesUnknown;
    }

    /// <summary>Writes the symbols of a word.</summary>
    /// <param name="word">The word.</param>
    /// <param name="symbols">Where they go; <see cref="MaximumPerChar"/> for each char.</param>
    /// <param name="places">Where the chars of each symbol go; empty where they are not needed.</param>
    /// <returns>How many there are.</returns>
    public int Write(ReadOnlySpan<char> word, Span<int> symbols, Span<(int Start, int End)> places)
    {
        Span<byte> bytes = stackalloc byte[4];
        int count = 0;
        bool isUnknown = false;
        for (int start = 0, end; start < word.Length; start = end)
        {
            end = start + Wtf8.CountChars(word, start);
            ReadOnlySpan<char> character = word[start..end];
            bool wasUnknown = isUnknown;
            isUnknown = false;
            if (_characterIds?.TryGetValue(CodeOf(character), out int id) == true)
            {
                Add(id, places, symbols);
            }
            else if (_byteIds.Length > 0)
            {
                foreach (byte value in bytes[..Wtf8.Encode(character, bytes, out _)])
                    Add(_byteIds[value], places, symbols);
            }
            else if (_unknownId != None)
            {
                isUnknown = true;
                if (!wasUnknown || !_fusesUnknown)
                    Add(_unknownId, places, symbols);
                else if (!places.IsEmpty)
                    places[count - 1].End = end;
            }

            void Add(int symbol, Span<(int Start, int End)> where, Span<int> to)
            {
                if (!where.IsEmpty)
                    where[count] = (start, end);
                to[count++] = symbol;
            }
        }

        return count;
    }

    private static int CodeOf(ReadOnlySpan<char> character) => character.Length == 2 ? char.ConvertToUtf32(character[0], character[1]) : character[0];
}
