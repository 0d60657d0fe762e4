using System.Globalization;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>
/// A text with one char for every code point, for patterns that count code points: .NET's expressions see a character beyond U+FFFF as two chars
/// that are neither letters nor digits. Such a character is replaced by another of its general category, which is all that the patterns ask of a
/// character outside ASCII.
/// </summary>
internal readonly ref struct CodePointText
{
    private static readonly Dictionary<UnicodeCategory, char> Examples = MakeExamples();

    private readonly int[]? _starts;

    public CodePointText(ReadOnlySpan<char> text)
    {
        Chars = text;
        _starts = null;
        if (!HasPairs(text))
            return;

        var chars = new char[text.Length];
        _starts = new int[text.Length + 1];
        int count = 0;
        for (int i = 0; i < text.Length; i++)
        {
            _starts[count] = i;
            bool isPair = i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]);
            chars[count++] = isPair ? Examples[CharUnicodeInfo.GetUnicodeCategory(char.ConvertToUtf32(text[i], text[i + 1]))] : text[i];
            if (isPair)
                i++;
        }

        _starts[count] = text.Length;
        Chars = chars.AsSpan(0, count);
    }

    /// <summary>One char a code point.</summary>
    public ReadOnlySpan<char> Chars { get; }

    /// <summary>Where in the text the code point at <paramref name="index"/> begins.</summary>
    public int GetStart(int index) => _starts is null ? index : _starts[index];

    private static bool HasPairs(ReadOnlySpan<char> text) => text.ContainsAnyInRange('\uD800', '\uDFFF');

    private static Dictionary<UnicodeCategory, char> MakeExamples()
    {
        var examples = new Dictionary<UnicodeCategory, char>();
        for (int code = 0x80; code <= char.MaxValue; code++)
            examples[CharUnicodeInfo.GetUnicodeCategory((char)code)] = (char)code;

        return examples;
    }
}
