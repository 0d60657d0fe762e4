namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Receives a word.</summary>
/// <param name="word">The word.</param>
/// <param name="isFirst">Whether the text begins with it.</param>
/// <returns>False to stop.</returns>
internal delegate bool WordReader(ReadOnlyMemory<char> word, bool isFirst);

/// <summary>One of the steps of a <c>pre_tokenizer</c>, which splits text into words and may change it.</summary>
internal interface ISplitStep
{
    /// <summary>Whether the words together are the text.</summary>
    bool KeepsText { get; }

    /// <summary>Whether the words up to a space depend on nothing behind it.</summary>
    bool IsLocal { get; }

    /// <summary>Finds the words of a text, one after the other, so that whoever needs only the first pays for no others.</summary>
    /// <param name="text">The text, not empty.</param>
    /// <param name="isFirst">Whether it is what a whole text begins with.</param>
    /// <param name="read">Receives the words.</param>
    /// <returns>False where <paramref name="read"/> stopped.</returns>
    bool Split(ReadOnlyMemory<char> text, bool isFirst, WordReader read);
}

/// <summary>Splits at the matches of a pattern.</summary>
/// <param name="Pattern">The pattern.</param>
/// <param name="Behavior">What becomes of the matches.</param>
/// <param name="IsInverted">Whether what lies between matches counts as a match, and a match as what lies between.</param>
internal sealed record PatternStep(ITextPattern Pattern, MatchBehavior Behavior = MatchBehavior.Isolated, bool IsInverted = false) : ISplitStep
{
    /// <inheritdoc/>
    public bool KeepsText => Behavior != MatchBehavior.Removed;

    /// <inheritdoc/>
    public bool IsLocal => Pattern is LiteralPattern { Text.Length: 1 } or WhiteSpacePattern;

    /// <summary>The step in which each match is a word, and what lies between two.</summary>
    public static PatternStep Isolating(string pattern, WordPatternLimits? limits = null) => new(new WordPattern(pattern, limits));

    /// <inheritdoc/>
    public bool Split(ReadOnlyMemory<char> text, bool isFirst, WordReader read)
    {
        if (Behavior == MatchBehavior.Isolated)
            return Pattern.Split(text, (start, length, _) => Read(start, length));

        var joiner = new MatchJoiner(Behavior, Read);
        return Pattern.Split(text, (start, length, isMatch) => joiner.Add(start, length, isMatch != IsInverted)) && joiner.Flush();

        bool Read(int start, int length) => length == 0 || read(text.Slice(start, length), isFirst && start == 0);
    }
}

/// <summary>Puts a space in front of a word that has none.</summary>
internal sealed class SpaceStep : ISplitStep
{
    /// <inheritdoc/>
    public bool KeepsText => false;

    /// <inheritdoc/>
    public bool IsLocal => true;

    /// <inheritdoc/>
    public bool Split(ReadOnlyMemory<char> text, bool isFirst, WordReader read) => read(text.Span[0] == ' ' ? text : $" {text.Span}".AsMemory(), isFirst);
}

/// <summary>Writes spaces as another character, puts it in front of words, and splits there.</summary>
/// <param name="Replacement">The character.</param>
/// <param name="Prepends">Which words get it in front if they do not begin with it.</param>
/// <param name="Splits">Whether words begin with the character.</param>
internal sealed record MetaspaceStep(char Replacement, PrependScheme Prepends, bool Splits) : ISplitStep
{
    private readonly PatternStep _words = new(new LiteralPattern(Replacement.ToString()), MatchBehavior.MergedWithNext);

    /// <inheritdoc/>
    public bool KeepsText => false;

    /// <inheritdoc/>
    public bool IsLocal => true;

    /// <inheritdoc/>
    public bool Split(ReadOnlyMemory<char> text, bool isFirst, WordReader read)
    {
        bool begins = text.Span[0] == ' ' || text.Span[0] == Replacement;
        bool prepends = !begins && (Prepends == PrependScheme.Always || (Prepends == PrependScheme.First && isFirst));
        if (prepends || text.Span.Contains(' '))
        {
            text = string.Create(text.Length + (prepends ? 1 : 0), (text, Replacement), static (chars, state) =>
            {
                chars[0] = state.Replacement;
                state.text.Span.Replace(chars[^state.text.Length..], ' ', state.Replacement);
            }).AsMemory();
        }

        return Splits ? _words.Split(text, isFirst, read) : read(text, isFirst);
    }
}

/// <summary>Which words get a character in front.</summary>
internal enum PrependScheme
{
    /// <summary>Every one.</summary>
    Always,

    /// <summary>That which the text begins with.</summary>
    First,

    /// <summary>None.</summary>
    Never,
}

/// <summary>White space.</summary>
internal sealed class WhiteSpacePattern : ITextPattern
{
    /// <inheritdoc/>
    public bool Split(ReadOnlyMemory<char> text, MatchReader read)
    {
        int start = 0;
        ReadOnlySpan<char> chars = text.Span;
        for (int i = 0; i < chars.Length; i++)
        {
            if (!char.IsWhiteSpace(chars[i]))
                continue;
            if ((i > start && !read(start, i - start, false)) || !read(i, 1, true))
                return false;
            start = i + 1;
        }

        return start == text.Length || read(start, text.Length - start, false);
    }
}
