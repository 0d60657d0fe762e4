namespace MLNetExtension.Tokenization.SentencePiece;

/// <summary>Splits normalized text into pieces.</summary>
internal interface IPieceSplitter
{
    /// <summary>Splits a text.</summary>
    /// <returns>Where each piece ends. A piece that the table lacks is a single character.</returns>
    List<int> Split(string text);

    /// <summary>Splits the beginning of a text, as far as the pieces are certain whatever follows.</summary>
    /// <param name="start">The beginning, which has no space in it that would separate a word.</param>
    /// <returns>Where each of these pieces ends; none where none is certain.</returns>
    List<int> SplitStart(string start);
}
