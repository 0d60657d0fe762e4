using System.Runtime.InteropServices;
using Microsoft.ML.Tokenizers;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Encodes words, one at a time, with ML.NET's byte-pair encoder.</summary>
internal sealed class WordEncoder
{
    private readonly BpeTokenizer _encoder;
    private readonly Dictionary<int, string> _tokens;

    // ML.NET's encoder always merges, so words that are tokens are looked up here.
    private readonly IReadOnlyDictionary<string, int>? _wholeWords;

    public WordEncoder(TokenizerDefinition definition)
    {
        _wholeWords = definition.IgnoresMerges ? definition.Vocabulary : null;
        _tokens = definition.Vocabulary.ToDictionary(entry => entry.Value, entry => entry.Key);
        _encoder = BpeTokenizer.Create(new BpeOptions(definition.Vocabulary)
        {
            Merges = definition.Merges.Select(merge => $"{merge.Left} {merge.Right}"),
            ByteLevel = true,
        });
    }

    /// <summary>Appends the ids of a word.</summary>
    public void Encode(ReadOnlySpan<char> word, List<int> ids)
    {
        if (_wholeWords is not null && _wholeWords.TryGetValue(ByteAlphabet.Encode(word), out int id))
            ids.Add(id);
        else
            ids.AddRange(_encoder.EncodeToIds(word, considerPreTokenization: false, considerNormalization: false));
    }

    /// <summary>
    /// Appends the tokens of a word that stands at <paramref name="offset"/> of the text. A token that begins or ends inside a character has the
    /// whole character in its range.
    /// </summary>
    public void Encode(ReadOnlySpan<char> word, int offset, List<EncodedToken> tokens)
    {
        var ids = new List<int>();
        Encode(word, ids);

        // One char of a token is one byte of the word. ML.NET's own offsets end inside surrogate pairs.
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
}
