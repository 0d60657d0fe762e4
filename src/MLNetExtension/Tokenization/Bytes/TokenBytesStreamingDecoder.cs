using System.Text;

namespace MLNetExtension.Tokenization.Bytes;

/// <summary>The streaming decoder of tokenizers whose tokens are bytes: characters come with their last byte.</summary>
/// <param name="bytesOf">The bytes of a token; a token without bytes is special, and cuts off a character that is not complete.</param>
internal sealed class TokenBytesStreamingDecoder(TokenBytes bytesOf) : IStreamingDecoder
{
    private readonly StringBuilder _piece = new();
    private PendingBytes _pending;

    // Bytes can spell a lone high surrogate; it waits for the next character, which may be its other half.
    private char? _heldSurrogate;

    /// <inheritdoc/>
    public string Append(int id)
    {
        ReadOnlySpan<byte> bytes = bytesOf(id);
        if (bytes.IsEmpty)
            Take(isFinal: true);

        foreach (byte value in bytes)
        {
            _pending.Add(value);
            Take(isFinal: false);
        }

        return Piece(holdsSurrogate: true);
    }

    /// <inheritdoc/>
    public string Flush()
    {
        Take(isFinal: true);
        return Piece(holdsSurrogate: false);
    }

    private void Take(bool isFinal)
    {
        Span<char> chars = stackalloc char[2];
        while (_pending.TryPeek(isFinal, chars, out int bytesRead, out int charsWritten))
        {
            _pending.Remove(bytesRead);
            _piece.Append(chars[..charsWritten]);
        }
    }

    private string Piece(bool holdsSurrogate)
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
