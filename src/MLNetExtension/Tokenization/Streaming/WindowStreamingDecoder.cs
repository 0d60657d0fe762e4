using Microsoft.ML.Tokenizers;

namespace MLNetExtension.Tokenization.Streaming;

/// <summary>A streaming decoder over any tokenizer, by decoding a short window of ids with and without the newest.</summary>
/// <remarks>
/// Some tokenizers decode a token differently at the start of a text (they drop the space that marks a word), so the window begins with the ids of the piece
/// before, and what the new ids add to its text is the new piece. A window whose text ends in U+FFFD may end inside a character and waits.
/// The method is vLLM's incremental detokenization.
/// </remarks>
internal sealed class WindowStreamingDecoder(Tokenizer tokenizer) : IStreamingDecoder
{
    private readonly List<int> _window = [];
    private int _settled; // ids of the window whose text has been returned

    /// <inheritdoc/>
    public string Append(int id)
    {
        _window.Add(id);
        return TakePiece(isFinal: false);
    }

    /// <inheritdoc/>
    public string Flush() => TakePiece(isFinal: true);

    private string TakePiece(bool isFinal)
    {
        string before = tokenizer.Decode(_window.GetRange(0, _settled));
        string text = tokenizer.Decode(_window);
        bool isOpen = text.Length > 0 && (text[^1] == '\uFFFD' || char.IsHighSurrogate(text[^1]));
        if (text.Length <= before.Length || (isOpen && !isFinal))
            return "";

        _window.RemoveRange(0, _settled);
        _settled = _window.Count;
        return text[before.Length..];
    }
}
