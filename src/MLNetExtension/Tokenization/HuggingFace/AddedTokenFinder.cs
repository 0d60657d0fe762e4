using System.Buffers;
using System.Globalization;
using System.Text;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Finds added tokens in a text: the leftmost, and of those that begin there the longest.</summary>
internal sealed class AddedTokenFinder
{
    private readonly TextTrie _contents = new();
    private readonly AddedToken[] _tokens;
    private readonly SearchValues<char> _beginnings;

    public AddedTokenFinder(IEnumerable<AddedToken> tokens)
    {
        // A normalizer may leave nothing of a token.
        _tokens = [.. tokens.Where(token => token.Content.Length > 0)];
        for (int i = 0; i < _tokens.Length; i++)
            _contents.Add(_tokens[i].Content, i);

        _beginnings = SearchValues.Create([.. _tokens.Select(token => token.Content[0]).Distinct()]);
    }

    /// <summary>Splits a text at its added tokens and appends the parts, with <see cref="TextPart.Start"/> moved by <paramref name="offset"/>.</summary>
    public void Split(ReadOnlySpan<char> text, int offset, List<TextPart> parts)
    {
        int start = 0, at = 0; // where plain text began, and where to look
        while (text[at..].IndexOfAny(_beginnings) is var distance and >= 0)
        {
            at += distance;
            int index = _contents.MatchLongest(text[at..], out int length);
            if (length == 0)
            {
                at++;
                continue;
            }

            int from = at;
            at += length;
            AddedToken token = _tokens[index];
            if (token.IsSingleWord && (EndsWithWord(text[..from]) || StartsWithWord(text[at..])))
                continue;

            int end = token.StripsRight ? text.Length - text[at..].TrimStart().Length : at;
            from = token.StripsLeft ? Math.Max(start, text[..from].TrimEnd().Length) : from;
            AddPlain(start, from - start);
            parts.Add(new TextPart(offset + from, end - from, token.Id));
            start = at = end;
        }

        AddPlain(start, text.Length - start);

        void AddPlain(int from, int length)
        {
            if (length > 0)
                parts.Add(new TextPart(offset + from, length, TextPart.Plain));
        }
    }

    private static bool StartsWithWord(ReadOnlySpan<char> text) => Rune.DecodeFromUtf16(text, out Rune first, out _) == OperationStatus.Done && IsWord(first);

    private static bool EndsWithWord(ReadOnlySpan<char> text) => Rune.DecodeLastFromUtf16(text, out Rune last, out _) == OperationStatus.Done && IsWord(last);

    private static bool IsWord(Rune rune) => Rune.IsLetterOrDigit(rune) || Rune.GetUnicodeCategory(rune) is
        UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark or UnicodeCategory.ConnectorPunctuation or UnicodeCategory.LetterNumber;
}

/// <summary>A part of a text: an added token, or plain text between two.</summary>
/// <param name="Start">Its first char.</param>
/// <param name="Length">Its chars.</param>
/// <param name="Id">The added token's id, or <see cref="Plain"/>.</param>
internal readonly record struct TextPart(int Start, int Length, int Id)
{
    /// <summary>The id of plain text.</summary>
    public const int Plain = -1;
}
