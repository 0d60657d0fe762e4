using MLNetExtension.Tokenization.Chat.Jinja;

namespace MLNetExtension.Tokenization.Chat;

/// <summary>Finds the special tokens that a template writes. The same characters in a message are none: a message cannot forge a turn.</summary>
internal sealed class SpecialTokenFinder
{
    private readonly TextTrie _contents = new();
    private readonly Dictionary<int, (bool Left, bool Right)> _strips;

    /// <param name="tokenizer">Has the special tokens.</param>
    public SpecialTokenFinder(IChatTokenizer tokenizer)
    {
        foreach ((string content, int id) in tokenizer.SpecialTokens)
        {
            if (content.Length > 0)
                _contents.Add(content, id);
        }

        _strips = tokenizer.SpecialTokens.Values.Distinct().ToDictionary(id => id, tokenizer.StripsAround);
    }

    /// <summary>Finds the tokens in order: the leftmost, and of those that begin there the longest.</summary>
    public IReadOnlyList<SpecialToken> Find(TracedText text)
    {
        List<SpecialToken> found = [];
        int start = 0;
        bool wasTemplate = false;
        for (int i = 0; i <= text.Runs.Count; i++)
        {
            bool isTemplate = i < text.Runs.Count && !text.Runs[i].Origin.IsContent;
            int end = i == 0 ? 0 : text.Runs[i - 1].End;
            if (wasTemplate && !isTemplate)
                Find(text.Value, start, end, found);
            if (isTemplate && !wasTemplate)
                start = end;
            wasTemplate = isTemplate;
        }

        return found;
    }

    private void Find(string text, int start, int end, List<SpecialToken> found)
    {
        for (int at = start; at < end;)
        {
            int id = _contents.MatchLongest(text.AsSpan(at, end - at), out int length);
            if (length > 0)
                Add(text, new SpecialToken(at, at + length, id), found);
            at += Math.Max(1, length);
        }
    }

    // With the white space that the token takes, be it the template's or a message's, as in the tokenizer's own library.
    private void Add(string text, SpecialToken token, List<SpecialToken> found)
    {
        (bool left, bool right) = _strips[token.Id];
        int before = found.Count == 0 ? 0 : found[^1].End;
        int start = left ? before + text.AsSpan(before, Math.Max(0, token.Start - before)).TrimEnd().Length : token.Start;
        int end = right ? text.Length - text.AsSpan(token.End).TrimStart().Length : token.End;
        found.Add(token with { Start = start, End = end });
    }
}

/// <summary>A special token in a rendered chat.</summary>
/// <param name="Start">Where it begins.</param>
/// <param name="End">Where it ends.</param>
/// <param name="Id">Its id.</param>
internal readonly record struct SpecialToken(int Start, int End, int Id);
