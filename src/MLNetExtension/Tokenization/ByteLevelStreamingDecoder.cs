namespace MLNetExtension.Tokenization;

/// <summary>The streaming decoder of <see cref="ByteLevelTokenizer"/>: characters come with their last byte.</summary>
internal sealed class ByteLevelStreamingDecoder : IStreamingDecoder
{
    private PendingBytes _pending;

    // Bytes can spell a lone high surrogate; it waits for the next character, which may be its other half.
    private char? _heldSurrogate;

    /// <inheritdoc/>
    public string Append(int id)
    {
        if ((uint)id > ByteLevelTokenizer.EndOfTextId)
            throw new InvalidOperationException($"Token id {id} cannot be decoded: a byte-level tokenizer has the ids 0 to {ByteLevelTokenizer.EndOfTextId}.");

        bool isByte = id != ByteLevelTokenizer.EndOfTextId;
        if (isByte)
            _pending.Add((byte)id);

        return Take(isFinal: !isByte, holdsSurrogate: true);
    }

    /// <inheritdoc/>
    public string Flush() => Take(isFinal: true, holdsSurrogate: false);

    private string Take(bool isFinal, bool holdsSurrogate)
    {
        // The held surrogate, then at most three chars: two invalid bytes (ED A0) and the byte that shows that they are.
        // One more, since a character may be written as two.
        Span<char> piece = stackalloc char[5];
        int count = 0;
        if (_heldSurrogate is { } held)
        {
            piece[count++] = held;
            _heldSurrogate = null;
        }

        while (_pending.TryPeek(isFinal, piece[count..], out int bytesRead, out int charsWritten))
        {
            _pending.Remove(bytesRead);
            count += charsWritten;
        }

        if (holdsSurrogate && count > 0 && char.IsHighSurrogate(piece[count - 1]))
            _heldSurrogate = piece[--count];

        return piece[..count].ToString();
    }
}
