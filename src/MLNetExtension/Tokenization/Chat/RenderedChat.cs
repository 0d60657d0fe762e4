using MLNetExtension.Tokenization.Chat.Jinja;

namespace MLNetExtension.Tokenization.Chat;

/// <summary>A chat as its template writes it.</summary>
internal sealed class RenderedChat
{
    /// <param name="text">The text.</param>
    /// <param name="specialTokens">Finds special tokens.</param>
    public RenderedChat(TracedText text, SpecialTokenFinder specialTokens)
    {
        Text = text;
        Layout = new ChatLayout(text);
        Tokens = specialTokens.Find(text);
    }

    /// <summary>The text.</summary>
    public TracedText Text { get; }

    /// <summary>Where the messages stand.</summary>
    public ChatLayout Layout { get; }

    /// <summary>The special tokens that the template writes, in order.</summary>
    public IReadOnlyList<SpecialToken> Tokens { get; }

    /// <summary>Finds the first special token of some in a stretch.</summary>
    /// <param name="from">Where the stretch begins.</param>
    /// <param name="to">Where it ends.</param>
    /// <param name="ids">The tokens that are looked for; null for any.</param>
    /// <returns>Where it ends; -1 for none.</returns>
    public int FindToken(int from, int to, IReadOnlySet<int>? ids)
    {
        for (int i = FirstTokenFrom(from); i < Tokens.Count && Tokens[i].End <= to; i++)
        {
            if (ids is null || ids.Contains(Tokens[i].Id))
                return Tokens[i].End;
        }

        return -1;
    }

    /// <summary>Where the last special token in front of a position ends; -1 for none.</summary>
    public int LastTokenEnd(int position)
    {
        int index = FirstTokenFrom(position);
        return index == 0 ? -1 : Tokens[index - 1].End;
    }

    // The first that ends behind a position: it may take white space in front of it.
    private int FirstTokenFrom(int position) => SortedEnds.FirstBehind(Tokens, position, token => token.End);
}
