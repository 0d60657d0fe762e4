using System.Text;
using MLNetExtension.Tokenization.Streaming;

namespace MLNetExtension.Tokenization.Bytes;

/// <summary>The streaming decoder of tokenizers whose tokens are bytes: a character comes with its last byte.</summary>
/// <param name="tokenizer">The tokenizer of the ids.</param>
internal sealed class ByteStreamingDecoder(ByteTokenizer tokenizer) : IStreamingDecoder
{
    private readonly StringBuilder _piece = new();
    private PendingBytes _pending;

    // Bytes can spell a lone high surrogate; it waits for the next character, which may be its other half.
    private char? _heldSurrogate;

    /// <inheritdoc/>
    public string Append(int id)
    {
        ReadOnlySpan<byte> bytes = tokenizer.GetBytes(id);
        if (bytes.IsEmpty)
            DecodePending(isFinal: true);

        foreach (byte value in bytes)
        {
            _pending.Add(value);
            DecodePending(isFinal: false);
        }

        return TakePiece(holdsSurrogate: true);
    }

    /// <inheritdoc/>
    public string Flush()
    {
        DecodePending(isFinal: true);
        return TakePiece(holdsSurrogate: false);
    }

    private void DecodePending(bool isFinal)
    {
        Span<char> chars = stackalloc char[2];
        while (_pending.TryPeek(isFinal, chars, out int bytesRead, out int charsWritten))
        {
            _pending.Remove(bytesRead);
            _piece.Append(chars[..charsWritten]);
        }
    }

    private string TakePiece(bool holdsSurrogate)
    {
        if (_piece.Length > 0 && _heldSurrogate is { } held)
        {
            _piece.Insert(0, held);
            _heldSurrogate = null;
        }

        if (holdsSurrogate && _piece.Length > 0 && char.IsHighSurrogate(_piece[^1]))
        {
            _heldSurrogate = _piece[^1];
            _piece.Length--;
        }

        string piece = holdsSurrogate || _heldSurrogate is null ? _piece.ToString() : _heldSurrogate + _piece.ToString();
        _piece.Clear();
        return piece;
    }
}
