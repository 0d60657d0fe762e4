namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Makes tokens of words.</summary>
internal interface IWordModel
{
    /// <summary>How many chars of a text may be taken for a word of their own, whatever is behind them.</summary>
    /// <param name="text">The text, not empty.</param>
    /// <returns>From 1 to the text's length.</returns>
    int FindWord(ReadOnlySpan<char> text);

    /// <summary>Appends the ids of a word.</summary>
    void Encode(ReadOnlySpan<char> word, List<int> ids);

    /// <summary>Appends the tokens of a word with their places in it. A token that begins or ends inside a character has the whole character.</summary>
    void Encode(ReadOnlySpan<char> word, List<PlacedToken> tokens);

    /// <summary>Appends the first ids of a word of which only the beginning is known, where that is enough for as many as are needed.</summary>
    /// <returns>False where the beginning is too short to be certain of them.</returns>
    bool TryEncodeStart(ReadOnlySpan<char> start, int needed, List<int> ids);
}
