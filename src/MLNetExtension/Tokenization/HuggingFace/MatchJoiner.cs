namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>What becomes of the matches of a pattern that splits text.</summary>
internal enum MatchBehavior
{
    /// <summary>A match is dropped.</summary>
    Removed,

    /// <summary>A match is a word.</summary>
    Isolated,

    /// <summary>The first match behind other text belongs to it.</summary>
    MergedWithPrevious,

    /// <summary>The last match in front of other text belongs to it.</summary>
    MergedWithNext,

    /// <summary>Matches in a row are a word.</summary>
    Contiguous,
}

/// <summary>Joins matches and what lies between them to words, as they come.</summary>
/// <param name="behavior">How.</param>
/// <param name="read">Receives where each word begins and its length; false to stop.</param>
internal sealed class MatchJoiner(MatchBehavior behavior, Func<int, int, bool> read)
{
    private int _start, _length; // of the word that may still grow
    private bool _isEmpty = true; // whether there is none
    private bool _isMatch; // whether the last part was a match

    /// <summary>Adds a part; false to stop.</summary>
    public bool Add(int start, int length, bool isMatch)
    {
        if (behavior == MatchBehavior.Removed)
            return isMatch || read(start, length);

        bool joins = !_isEmpty && behavior switch
        {
            MatchBehavior.MergedWithPrevious => isMatch && !_isMatch,
            MatchBehavior.MergedWithNext => !isMatch && _isMatch,
            MatchBehavior.Contiguous => isMatch == _isMatch,
            _ => false,
        };
        bool goesOn = joins || Flush();
        _start = joins ? _start : start;
        _length = start + length - _start;
        (_isEmpty, _isMatch) = (false, isMatch);
        return goesOn;
    }

    /// <summary>Gives the last word; false to stop.</summary>
    public bool Flush() => _isEmpty || read(_start, _length);
}
