using System.Buffers;
using System.Globalization;
using System.Text;

namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>What Python does with the characters of strings, which it counts in code points.</summary>
internal static class PythonText
{
    /// <summary>The characters that <c>str.isspace</c> knows.</summary>
    public const string Spaces = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000";

    private const string LineEnds = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029";

    /// <summary>The characters that <c>str.isspace</c> knows, to be looked for.</summary>
    public static readonly SearchValues<char> SpaceValues = SearchValues.Create(Spaces);

    private static readonly SearchValues<char> LineEndValues = SearchValues.Create(LineEnds);

    /// <summary>A part of a text, in UTF-16 units.</summary>
    public static TracedText Slice(TracedText text, int start, int length, RenderBudget budget) =>
        length == text.Length ? text : new TracedTextBuilder(budget).Append(text, start, length).ToText();

    /// <summary>The number of code points.</summary>
    public static int Length(TracedText text) => HasPairs(text.Value) ? text.Value.EnumerateRunes().Count() : text.Length;

    /// <summary>Each code point as a text.</summary>
    public static IEnumerable<object?> Characters(TracedText text, RenderBudget budget)
    {
        for (int at = 0, length; at < text.Length; at += length)
        {
            length = char.IsSurrogatePair(text.Value, at) ? 2 : 1;
            yield return Slice(text, at, length, budget);
        }
    }

    /// <summary>The position in UTF-16 units of a code point.</summary>
    public static int Position(TracedText text, long codePoint)
    {
        if (!HasPairs(text.Value))
            return (int)Math.Min(codePoint, text.Length);
        int at = 0;
        for (; codePoint > 0 && at < text.Length; codePoint--)
            at += char.IsSurrogatePair(text.Value, at) ? 2 : 1;
        return at;
    }

    /// <summary>The code point of a position in UTF-16 units.</summary>
    public static long CodePoint(TracedText text, int position) =>
        HasPairs(text.Value) ? text.Value.AsSpan(0, position).ToString().EnumerateRunes().Count() : position;

    /// <summary>Drops characters at the ends.</summary>
    /// <param name="text">The text.</param>
    /// <param name="characters">Those to drop; null for white space.</param>
    /// <param name="atStart">Whether at the beginning.</param>
    /// <param name="atEnd">Whether at the end.</param>
    /// <param name="budget">Pays for it.</param>
    public static TracedText Strip(TracedText text, string? characters, bool atStart, bool atEnd, RenderBudget budget)
    {
        SearchValues<char> dropped = characters is null ? SpaceValues : SearchValues.Create(characters);
        int start = atStart ? text.Value.AsSpan().IndexOfAnyExcept(dropped) : 0;
        if (start < 0 || text.Length == 0)
            return TracedText.Empty;
        int end = atEnd ? text.Value.AsSpan().LastIndexOfAnyExcept(dropped) + 1 : text.Length;
        return Slice(text, start, Math.Max(0, end - start), budget);
    }

    /// <summary>The lines, without what ends them.</summary>
    public static List<object?> Lines(TracedText text, bool keepEnds, RenderBudget budget)
    {
        List<object?> lines = [];
        for (int start = 0; start < text.Length;)
        {
            int found = text.Value.AsSpan(start).IndexOfAny(LineEndValues);
            int end = found < 0 ? text.Length : start + found;
            int next = found < 0 ? end : end + (string.CompareOrdinal(text.Value, end, "\r\n", 0, 2) == 0 ? 2 : 1);
            budget.Allocate(1);
            lines.Add(Slice(text, start, (keepEnds ? next : end) - start, budget));
            start = next;
        }

        return lines;
    }

    /// <summary>Pays for looking for one text in another: quicker than copying, but where both are made to be slow.</summary>
    public static void PayForSearch(TracedText text, TracedText sought, RenderBudget budget) => budget.Write((text.Length / 4) + ((long)text.Length * sought.Length / 512));

    /// <summary>Puts another text in place of a part, wherever that stands.</summary>
    public static TracedText Replace(TracedText text, TracedText old, TracedText replacement, long count, RenderBudget budget)
    {
        PayForSearch(text, old, budget);
        var result = new TracedTextBuilder(budget);
        int start = 0;
        if (old.Length == 0)
            return Interleave(text, replacement, count, budget);
        while (count-- != 0 && text.Value.IndexOf(old.Value, start, StringComparison.Ordinal) is var found and >= 0)
        {
            budget.Step();
            result.Append(text, start, found - start).Append(replacement);
            start = found + old.Length;
        }

        return start == 0 ? text : result.Append(text, start, text.Length - start).ToText();
    }

    /// <summary>Puts texts together, with another between them.</summary>
    public static TracedText Join(TracedText separator, IEnumerable<TracedText> texts, RenderBudget budget)
    {
        var result = new TracedTextBuilder(budget);
        bool isFirst = true;
        foreach (TracedText text in texts)
        {
            if (!isFirst)
                result.Append(separator);
            result.Append(text);
            isFirst = false;
        }

        return result.ToText();
    }

    /// <summary>The text many times over.</summary>
    public static TracedText Repeat(TracedText text, long count, RenderBudget budget)
    {
        if (count <= 0 || text.Length == 0)
            return TracedText.Empty;
        budget.Write(count > int.MaxValue ? long.MaxValue / 2 : count * text.Length);
        return Join(TracedText.Empty, Enumerable.Repeat(text, (int)count), budget);
    }

    /// <summary>Upper case of the first character, lower case of the others.</summary>
    public static string Capitalize(string text) => text.Length == 0 ? "" : Upper(text[..1]) + Lower(text[1..]);

    /// <summary>Upper case.</summary>
    public static string Upper(string text) => text.ToUpperInvariant().Replace("ß", "SS");

    /// <summary>Lower case.</summary>
    public static string Lower(string text) => text.ToLowerInvariant();

    /// <summary>Upper case after what is no letter, lower case after a letter.</summary>
    public static string Title(string text)
    {
        var result = new StringBuilder(text.Length);
        bool inWord = false;
        foreach (char character in text)
        {
            result.Append(inWord ? char.ToLowerInvariant(character) : char.ToUpperInvariant(character));
            inWord = char.IsLetter(character);
        }

        return result.ToString();
    }

    /// <summary>Compares by code points.</summary>
    public static int Compare(string left, string right)
    {
        int at = left.AsSpan().CommonPrefixLength(right);
        if (at == left.Length || at == right.Length)
            return left.Length - right.Length;
        // A pair stands for a character behind all that have one unit.
        return (char.IsSurrogate(left[at]), char.IsSurrogate(right[at])) switch
        {
            (true, false) => 1,
            (false, true) => -1,
            _ => left[at] - right[at],
        };
    }

    /// <summary>Whether a character is written out by <c>repr</c> and not escaped.</summary>
    public static bool IsPrintable(Rune rune) => rune.Value == ' ' || Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);

    private static TracedText Interleave(TracedText text, TracedText separator, long count, RenderBudget budget)
    {
        var result = new TracedTextBuilder(budget);
        foreach (TracedText character in Characters(text, budget).Cast<TracedText>())
            result.Append(count-- != 0 ? separator : TracedText.Empty).Append(character);
        return result.Append(count != 0 ? separator : TracedText.Empty).ToText();
    }

    private static bool HasPairs(string text) => text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') >= 0;
}
