#nullable enable
using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;

namespace Microsoft.ML.Tokenizers;

/// <summary>Byte-pair encoding of words; a character (or byte) that the vocabulary lacks is left out.</summary>
public sealed partial class BpeTokenizer : Tokenizer
{
    private readonly Dictionary<string, int> _vocabulary;
    private readonly Dictionary<int, string> _tokens;
    private readonly Dictionary<(int, int), (int Rank, int Id)> _merges = [];

    private BpeTokenizer(BpeOptions options)
    {
        _vocabulary = new Dictionary<string, int>(options.Vocabulary);
        if (_vocabulary.Count == 0)
            throw new InvalidOperationException("The vocabulary cannot be empty.");
        _tokens = _vocabulary.ToDictionary(entry => entry.Value, entry => entry.Key);
        ByteLevel = options.ByteLevel;
        foreach (string merge in options.Merges ?? [])
        {
            if (merge.Split(' ') is not [string left, { Length: > 0 } right])
                throw new InvalidOperationException("A merge must be two tokens with a space between them.");
            _merges.Add((Id(left), Id(right)), (_merges.Count, Id(left + right)));
        }
    }

    public bool ByteLevel { get; }

    public static BpeTokenizer Create(BpeOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new BpeTokenizer(options);
    }

    protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        string source = text ?? textSpan.ToString();
        var tokens = new List<EncodedToken>();
        IEnumerable<(int Start, int Length)> words = settings.ConsiderPreTokenization
            ? WordOrNonWord().Matches(source).Select(match => (match.Index, match.Length))
            : [(0, source.Length)];
        foreach ((int start, int length) in words)
            Encode(source.AsSpan(start, length), start, tokens);
        return new EncodeResults<EncodedToken> { Tokens = tokens, CharsConsumed = source.Length };
    }

    public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten) =>
        throw new NotSupportedException("This substitute for Microsoft.ML.Tokenizers only encodes with a BpeTokenizer.");

    private int Id(string token) => _vocabulary.TryGetValue(token, out int id)
        ? id
        : throw new InvalidOperationException($"Trying to merge a token '{token}' which not exist in the vocabulary.");

    private void Encode(ReadOnlySpan<char> word, int offset, List<EncodedToken> tokens)
    {
        var symbols = new List<(int Id, int Start, int End)>();
        for (int i = 0; i < word.Length; i++)
        {
            int start = offset + i;
            bool isPair = i + 1 < word.Length && char.IsSurrogatePair(word[i], word[i + 1]);
            string characters = ByteLevel ? Bytes(word.Slice(i, isPair ? 2 : 1)) : word.Slice(i, isPair ? 2 : 1).ToString();
            i += isPair ? 1 : 0;
            // The genuine package counts one char for a pair where it works on bytes.
            int end = ByteLevel ? start + 1 : offset + i + 1;
            foreach (string symbol in ByteLevel ? characters.Select(c => c.ToString()) : [characters])
            {
                if (_vocabulary.TryGetValue(symbol, out int id))
                    symbols.Add((id, start, end));
            }
        }

        while (Best(symbols) is { } best)
        {
            int id = _merges[(symbols[best].Id, symbols[best + 1].Id)].Id;
            symbols[best] = (id, symbols[best].Start, symbols[best + 1].End);
            symbols.RemoveAt(best + 1);
        }
        tokens.AddRange(symbols.Select(symbol => new EncodedToken(symbol.Id, _tokens[symbol.Id], symbol.Start..symbol.End)));
    }

    private int? Best(List<(int Id, int Start, int End)> symbols)
    {
        int? best = null;
        int bestRank = int.MaxValue;
        for (int i = 0; i + 1 < symbols.Count; i++)
        {
            if (_merges.TryGetValue((symbols[i].Id, symbols[i + 1].Id), out var merge) && merge.Rank < bestRank)
                (best, bestRank) = (i, merge.Rank);
        }
        return best;
    }

    // GPT-2's characters for bytes. A lone surrogate is the three bytes of its code point, which UTF-8 does not have.
    private static string Bytes(ReadOnlySpan<char> character)
    {
        byte[] bytes = character.Length == 1 && char.IsSurrogate(character[0])
            ? [(byte)(0xE0 | (character[0] >> 12)), (byte)(0x80 | ((character[0] >> 6) & 0x3F)), (byte)(0x80 | (character[0] & 0x3F))]
            : Encoding.UTF8.GetBytes(character.ToString());
        return string.Concat(bytes.Select(Character));
    }

    private static char Character(byte value) => (char)(value switch
    {
        <= 0x20 => 0x100 + value,
        >= 0x7F and <= 0xA0 => 0x121 + value - 0x7F,
        0xAD => 0x143,
        _ => value,
    });

    [GeneratedRegex(@"\w+|[^\w\s]+")]
    private static partial Regex WordOrNonWord();
}
