using System.Buffers;
using System.Globalization;
using System.Text;
using Microsoft.ML.Tokenizers;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Tokenization.Normalization;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>The normalizers of <c>tokenizer.json</c>, one after the other.</summary>
/// <param name="steps">What changes a text.</param>
/// <param name="isLocal">Whether what a text becomes up to a space depends on nothing behind it.</param>
/// <param name="stripsLeft">Whether white space is dropped at the beginning.</param>
internal sealed class TextNormalizer(IReadOnlyList<Func<string, string>> steps, bool isLocal = true, bool stripsLeft = false) : Normalizer
{
    /// <summary>The normalizer that changes nothing.</summary>
    public static TextNormalizer None { get; } = new([]);

    /// <summary>Whether it changes nothing.</summary>
    public bool IsNone => steps.Count == 0;

    /// <summary>Whether what a text becomes up to a space that stands behind no other white space depends on nothing behind it.</summary>
    public bool IsLocal => isLocal;

    /// <summary>Whether white space is dropped at the beginning.</summary>
    public bool StripsLeft => stripsLeft;

    /// <inheritdoc/>
    public override string Normalize(string original)
    {
        ArgumentNullException.ThrowIfNull(original);
        return steps.Aggregate(original, (text, step) => step(text));
    }

    /// <inheritdoc/>
    public override string Normalize(ReadOnlySpan<char> original) => Normalize(original.ToString());

    /// <summary>Appends to each of several normalizers what the next does.</summary>
    public static TextNormalizer Sequence(IReadOnlyList<TextNormalizer> normalizers) =>
        normalizers is [var only] ? only : new([.. normalizers.Select(normalizer => (Func<string, string>)normalizer.Normalize)], normalizers.All(normalizer => normalizer.IsLocal), normalizers.Any(normalizer => normalizer.StripsLeft));

    /// <summary>Puts a text in front of any but an empty one.</summary>
    public static TextNormalizer Prepend(string prefix) => new([text => text.Length == 0 ? text : prefix + text]);

    /// <summary>Drops white space at the ends.</summary>
    public static TextNormalizer Strip(bool left, bool right) => new([text => (left, right) switch
    {
        (true, true) => text.Trim(),
        (true, false) => text.TrimStart(),
        (false, true) => text.TrimEnd(),
        _ => text,
    }], stripsLeft: left);

    /// <summary>Replaces each match of a pattern.</summary>
    public static TextNormalizer Replace(ITextPattern pattern, string content) => new(
        [text => pattern.Replace(text, content)], pattern is LiteralPattern { Text: var literal } && !literal.AsSpan(1).Contains(' '));

    /// <summary>Makes small letters of each character by itself, in one of Unicode's two ways: İ has two characters.</summary>
    public static TextNormalizer Lowercase() => new([text => text.Replace("\u0130", "i\u0307", StringComparison.Ordinal).ToLowerInvariant()]);

    /// <summary>One of Unicode's normalization forms.</summary>
    public static TextNormalizer Form(UnicodeForm form) => new([new UnicodeNormalizer(form).Normalize]);

    /// <summary>The rules that SentencePiece compiles, as Hugging Face's library applies them: the shortest key that a grapheme of less than six bytes begins with stands for all of it.</summary>
    /// <param name="map">The rules.</param>
    public static TextNormalizer Precompiled(CharacterMap map) => new([text => Apply(map, text)]);

    private static string Apply(CharacterMap map, string text)
    {
        const int LongGrapheme = 6;
        var result = new ArrayBufferWriter<char>(Math.Max(1, text.Length));
        Span<char> buffer = stackalloc char[CharacterMap.MaximumReplacement];
        for (ReadOnlySpan<char> rest = text; !rest.IsEmpty;)
        {
            // Of ASCII, only a line break of two characters is one grapheme.
            bool isSingle = char.IsAscii(rest[0]) && rest[0] != '\r' && (rest.Length == 1 || char.IsAscii(rest[1]));
            ReadOnlySpan<char> grapheme = rest[..(isSingle ? 1 : StringInfo.GetNextTextElementLength(rest))];
            rest = rest[grapheme.Length..];
            if (Wtf8.CountBytes(grapheme) < LongGrapheme && map.TryMatch(grapheme, isShortest: true, out _, out ReadOnlySpan<byte> whole))
            {
                result.Write(buffer[..Encoding.UTF8.GetChars(whole, buffer)]);
                continue;
            }

            for (; !grapheme.IsEmpty; grapheme = grapheme[Wtf8.CountChars(grapheme, 0)..])
            {
                ReadOnlySpan<char> character = grapheme[..Wtf8.CountChars(grapheme, 0)];
                scoped ReadOnlySpan<char> replacement = character;
                if (map.TryMatch(character, isShortest: true, out _, out ReadOnlySpan<byte> bytes))
                    replacement = buffer[..Encoding.UTF8.GetChars(bytes, buffer)];

                result.Write(replacement);
            }
        }

        return result.WrittenSpan.SequenceEqual(text) ? text : result.WrittenSpan.ToString();
    }
}
