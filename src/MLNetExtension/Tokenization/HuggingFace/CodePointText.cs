using System.Globalization;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>
/// A text with one char for every code point, for patterns that count code points: .NET's expressions see a character beyond U+FFFF as two chars
/// that are neither letters nor digits. Such a character is replaced by another of its general category, which is all that the patterns ask of a
/// character outside ASCII.
/// </summary>
internal static class CodePointText
{
    private static readonly Dictionary<UnicodeCategory, char> Examples = MakeExamples();

    /// <summary>Whether a text may have characters beyond U+FFFF; without them it has one char for every code point as it is.</summary>
    public static bool HasPairs(ReadOnlySpan<char> text) => text.ContainsAnyInRange('\uD800', '\uDFFF');

    /// <summary>Makes the text with one char for every code point.</summary>
    public static ReadOnlyMemory<char> Create(ReadOnlySpan<char> text)
    {
        var chars = new char[text.Length];
        int count = 0;
        for (int i = 0; i < text.Length; i++)
        {
            bool isPair = i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]);
            chars[count++] = isPair ? Examples[CharUnicodeInfo.GetUnicodeCategory(char.ConvertToUtf32(text[i], text[i + 1]))] : text[i];
            if (isPair)
                i++;
        }

        return chars.AsMemory(0, count);
    }

    private static Dictionary<UnicodeCategory, char> MakeExamples()
    {
        var examples = new Dictionary<UnicodeCategory, char>();
        for (int code = 0x80; code <= char.MaxValue; code++)
            examples[CharUnicodeInfo.GetUnicodeCategory((char)code)] = (char)code;

        return examples;
    }
}
