namespace MLNetExtension.Tokenization.Streaming;

/// <summary>A streaming decoder over any tokenizer: it decodes the last few ids with and without the newest, and the difference is the new piece.</summary>
/// <remarks>
/// Some tokenizers decode a token differently at the start of a text (they drop the space that marks a word), so the ids of the piece before are decoded again. Text that ends in
/// U+FFFD may end inside a character and waits. The method is vLLM's incremental detokenization.
/// </remarks>
internal sealed class OverlapStreamingDecoder(ILanguageTokenizer tokenizer) : IStreamingDecoder
{
    private readonly List<int> _ids = [];
    private int _returned; // ids whose text has been returned

    /// <inheritdoc/>
    public string Append(int id)
    {
        _ids.Add(id);
        return TakePiece(isFinal: false);
    }

    /// <inheritdoc/>
    public string Flush() => TakePiece(isFinal: true);

    private string TakePiece(bool isFinal)
    {
        string before = tokenizer.Decode(_ids.Take(_returned));
        string text = tokenizer.Decode(_ids);
        bool isOpen = text.Length > 0 && (text[^1] == '\uFFFD' || char.IsHighSurrogate(text[^1]));
        if (text.Length <= before.Length || (isOpen && !isFinal))
            return "";

        _ids.RemoveRange(0, _returned);
        _returned = _ids.Count;
        return text[before.Length..];
    }
}
