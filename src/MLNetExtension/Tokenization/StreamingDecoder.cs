namespace MLNetExtension.Tokenization;

/// <summary>Decodes token ids that arrive one at a time. Every piece is whole characters, never half of a surrogate pair, and the pieces together are what the tokenizer decodes from all ids at once.</summary>
/// <remarks>
/// The last few ids are decoded with and without the newest, and the difference is the new piece: some tokenizers decode a token differently at the start of a text (they drop the space that
/// marks a word). Text that ends in U+FFFD may end inside a character and waits. The method is vLLM's incremental detokenization. Use one decoder for one text.
/// </remarks>
internal sealed class StreamingDecoder(ILanguageTokenizer tokenizer)
{
    private readonly List<int> _ids = [];
    private int _returned; // ids whose text has been returned

    /// <summary>Adds an id and returns the text that it completes, often none.</summary>
    /// <exception cref="InvalidOperationException">The tokenizer cannot decode the id.</exception>
    public string Append(int id)
    {
        _ids.Add(id);
        return TakePiece(isFinal: false);
    }

    /// <summary>Returns what is left when no more ids come.</summary>
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
