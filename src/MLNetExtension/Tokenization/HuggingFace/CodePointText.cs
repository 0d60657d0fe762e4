using System.Globalization;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>
/// A text with one char for every code point, for patterns that count code points: .NET's expressions see a character beyond U+FFFF as two chars
/// that are neither letters nor digits. Such a character is replaced by another of its general category that the pattern does not name, so that the category is all that the
/// pattern can ask of it.
/// </summary>
internal sealed class CodePointText
{
    private static readonly CodePointText OfCategories = new([]);

    private readonly Dictionary<UnicodeCategory, char> _examples = [];

    private CodePointText(IReadOnlyList<(char First, char Last)> named)
    {
        for (int code = 0x80; code <= char.MaxValue; code++)
        {
            if (!named.Any(range => code >= range.First && code <= range.Last))
                _examples[CharUnicodeInfo.GetUnicodeCategory((char)code)] = (char)code;
        }
    }

    /// <summary>The texts for a pattern.</summary>
    /// <param name="named">The ranges of characters outside ASCII that it names.</param>
    /// <exception cref="FormatException">It names every character of a category.</exception>
    public static CodePointText Without(IReadOnlyList<(char First, char Last)> named)
    {
        if (named.Count == 0)
            return OfCategories;

        var text = new CodePointText(named);
        UnicodeCategory? missing = OfCategories._examples.Keys.Cast<UnicodeCategory?>().FirstOrDefault(category => !text._examples.ContainsKey(category!.Value));
        return missing is null ? text : throw new FormatException($"the pattern names every character of the category {missing} up to U+FFFF, which is not supported");
    }

    /// <summary>Whether a text may have characters beyond U+FFFF; without them it has one char for every code point as it is.</summary>
    public static bool HasPairs(ReadOnlySpan<char> text) => text.ContainsAnyInRange('\uD800', '\uDFFF');

    /// <summary>Makes the text with one char for every code point.</summary>
    public ReadOnlyMemory<char> Create(ReadOnlySpan<char> text)
    {
        var chars = new char[text.Length];
        int count = 0;
        for (int i = 0; i < text.Length; i++)
        {
            bool isPair = i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]);
            chars[count++] = isPair ? _examples[CharUnicodeInfo.GetUnicodeCategory(char.ConvertToUtf32(text[i], text[i + 1]))] : text[i];
            if (isPair)
                i++;
        }

        return chars.AsMemory(0, count);
    }
}
