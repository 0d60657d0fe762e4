using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>The decoders of <c>tokenizer.json</c> that make text of tokens, one after the other.</summary>
/// <param name="steps">What changes the texts of the tokens.</param>
internal sealed class TokenDecoder(IReadOnlyList<Func<List<string>, List<string>>> steps)
{
    /// <summary>Makes a text of tokens.</summary>
    /// <param name="tokens">Their texts.</param>
    public string Decode(List<string> tokens) => string.Concat(steps.Aggregate(tokens, (texts, step) => step(texts)));

    /// <summary>The bytes that a token gives behind another.</summary>
    public byte[] BytesOf(string token)
    {
        const string Other = "x";
        if (ByteOf(token) is { } value)
            return [value];

        string before = Decode([Other]), text = Decode([Other, token]);
        return Encoding.UTF8.GetBytes(text[Math.Min(before.Length, text.Length)..]);
    }

    /// <summary>Appends to each of several decoders what the next does.</summary>
    public static TokenDecoder Sequence(IReadOnlyList<TokenDecoder> decoders) => new([.. decoders.SelectMany(decoder => decoder.Steps)]);

    /// <summary>Replaces each match of a pattern in a token.</summary>
    public static TokenDecoder Replace(ITextPattern pattern, string content) => OfEach(token => pattern.Replace(token, content));

    /// <summary>Makes one token of all.</summary>
    public static TokenDecoder Fuse() => new([tokens => [string.Concat(tokens)]]);

    /// <summary>Drops a character at the ends of each token.</summary>
    /// <param name="content">The character.</param>
    /// <param name="start">How many of it at the beginning, at most.</param>
    /// <param name="stop">How many of it at the end, at most.</param>
    public static TokenDecoder Strip(string content, int start, int stop) => OfEach(token =>
    {
        ReadOnlySpan<char> rest = token;
        for (int i = 0; i < start && rest.StartsWith(content, StringComparison.Ordinal); i++)
            rest = rest[content.Length..];
        for (int i = 0; i < stop && rest.EndsWith(content, StringComparison.Ordinal); i++)
            rest = rest[..^content.Length];

        return rest.ToString();
    });

    /// <summary>Writes a character as a space, and drops it in the first token where encoding puts it in front of a text.</summary>
    public static TokenDecoder Metaspace(char replacement, bool dropsFirst) => new([tokens =>
        [.. tokens.Select((token, index) => index == 0 && dropsFirst ? token.Replace(replacement.ToString(), "", StringComparison.Ordinal) : token.Replace(replacement, ' '))]]);

    /// <summary>Makes characters of tokens that are bytes; where those in a row are not UTF-8, each of them gives U+FFFD.</summary>
    public static TokenDecoder ByteFallback() => new([tokens =>
    {
        var texts = new List<string>(tokens.Count);
        var bytes = new List<byte>();
        foreach (string token in tokens)
        {
            if (ByteOf(token) is { } value)
            {
                bytes.Add(value);
                continue;
            }

            Flush();
            texts.Add(token);
        }

        Flush();
        return texts;

        void Flush()
        {
            if (bytes.Count == 0)
                return;

            byte[] run = [.. bytes];
            if (Utf8.IsValid(run))
                texts.Add(Encoding.UTF8.GetString(run));
            else
                texts.AddRange(Enumerable.Repeat("\uFFFD", run.Length));

            bytes.Clear();
        }
    }]);

    private IReadOnlyList<Func<List<string>, List<string>>> Steps => steps;

    private static TokenDecoder OfEach(Func<string, string> change) => new([tokens => [.. tokens.Select(change)]]);

    // As <0x0A>.
    private static byte? ByteOf(string token) => token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
        && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value) ? value : null;
}
