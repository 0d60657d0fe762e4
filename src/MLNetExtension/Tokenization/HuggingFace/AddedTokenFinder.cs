using System.Buffers;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Finds added tokens in a text: the leftmost, and of those that begin there the longest.</summary>
internal sealed class AddedTokenFinder
{
    private readonly AddedToken[] _longestFirst;
    private readonly SearchValues<string>? _contents;

    public AddedTokenFinder(IEnumerable<AddedToken> tokens)
    {
        _longestFirst = [.. tokens.OrderByDescending(token => token.Content.Length)];
        _contents = _longestFirst.Length == 0 ? null : SearchValues.Create([.. _longestFirst.Select(token => token.Content)], StringComparison.Ordinal);
    }

    /// <summary>Splits a text at its added tokens and appends the parts, with <see cref="TextPart.Start"/> moved by <paramref name="offset"/>.</summary>
    public void Split(ReadOnlySpan<char> text, int offset, List<TextPart> parts)
    {
        int start = 0;
        while (_contents is not null && text[start..].IndexOfAny(_contents) is var length and >= 0)
        {
            AddPlain(start, length);
            start += length;
            AddedToken token = TokenAt(text[start..]);
            parts.Add(new TextPart(offset + start, token.Content.Length, token.Id));
            start += token.Content.Length;
        }

        AddPlain(start, text.Length - start);

        void AddPlain(int from, int length)
        {
            if (length > 0)
                parts.Add(new TextPart(offset + from, length, TextPart.Plain));
        }
    }

    private AddedToken TokenAt(ReadOnlySpan<char> text)
    {
        foreach (AddedToken token in _longestFirst)
        {
            if (text.StartsWith(token.Content, StringComparison.Ordinal))
                return token;
        }

        throw new InvalidOperationException("No added token begins where one was found.");
    }
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
