namespace MLNetExtension.Tokenization;

/// <summary>Decodes token ids that arrive one at a time. Every piece is whole characters, never half of a surrogate pair, and the pieces together are what the tokenizer decodes from all ids at once.</summary>
/// <remarks>
/// The last few ids are decoded with and without the newest, and the difference is the new piece: some tokenizers decode a token differently at the start of a text (they drop the space that
/// marks a word). Text that ends in U+FFFD may end inside a character and waits. The method is vLLM's incremental detokenization. Use one decoder for one text.
/// </remarks>
internal sealed class StreamingDecoder(ILanguageTokenizer tokenizer)
{
    // A character has at most four bytes, so of many ids that wait, all but the last few have the text that they will have.
    private const int MaximumWaiting = 32, MaximumOpenIds = 8;

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
        int waiting = _ids.Count - _returned, taken = _ids.Count;
        bool isOpen = text.Length > 0 && (text[^1] == '\uFFFD' || char.IsHighSurrogate(text[^1]));
        if (isOpen && !isFinal)
        {
            taken -= MaximumOpenIds;
            string closed = waiting < MaximumWaiting ? "" : tokenizer.Decode(_ids.Take(taken));
            text = text.StartsWith(closed, StringComparison.Ordinal) ? closed : "";
        }

        if (text.Length > before.Length)
        {
            string piece = text[before.Length..];
            // Space would count as that at the start of a text, which some tokenizers drop: it is no context.
            bool isContext = _returned == 0 || !string.IsNullOrWhiteSpace(piece);
            _ids.RemoveRange(isContext ? 0 : _returned, isContext ? _returned : taken - _returned);
            _returned = isContext ? taken - _returned : _returned;
            return piece;
        }

        // Ids that give no text, such as those of special tokens, are not decoded again and again.
        if (!isOpen && waiting >= MaximumWaiting)
            _ids.RemoveRange(_returned, waiting);

        return "";
    }
}
