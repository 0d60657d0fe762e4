using System.Buffers;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Finds added tokens in a text: the leftmost, and of those that begin there the longest.</summary>
internal sealed class AddedTokenFinder
{
    private readonly TextTrie _contents = new();
    private readonly SearchValues<char> _beginnings;

    public AddedTokenFinder(IReadOnlyCollection<AddedToken> tokens)
    {
        foreach (AddedToken token in tokens)
            _contents.Add(token.Content, token.Id);

        _beginnings = SearchValues.Create([.. tokens.Select(token => token.Content[0]).Distinct()]);
    }

    /// <summary>Splits a text at its added tokens and appends the parts, with <see cref="TextPart.Start"/> moved by <paramref name="offset"/>.</summary>
    public void Split(ReadOnlySpan<char> text, int offset, List<TextPart> parts)
    {
        int start = 0, at = 0; // where plain text began, and where to look
        while (text[at..].IndexOfAny(_beginnings) is var distance and >= 0)
        {
            at += distance;
            int id = _contents.MatchLongest(text[at..], out int length);
            if (length == 0)
            {
                at++;
                continue;
            }

            AddPlain(start, at - start);
            parts.Add(new TextPart(offset + at, length, id));
            start = at += length;
        }

        AddPlain(start, text.Length - start);

        void AddPlain(int from, int length)
        {
            if (length > 0)
                parts.Add(new TextPart(offset + from, length, TextPart.Plain));
        }
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
