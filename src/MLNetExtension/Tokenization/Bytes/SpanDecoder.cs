using System.Buffers;

namespace MLNetExtension.Tokenization.Bytes;

/// <summary>Decodes ids into a span and counts those whose characters have been written.</summary>
internal ref struct SpanDecoder(Span<char> destination)
{
    private readonly Span<char> _destination = destination;
    private readonly Queue<int> _ends = new(); // of tokens that are not written yet, in bytes from the first token's
    private readonly byte[] _pending = new byte[4]; // of a character that is not complete: three can wait for a fourth
    private int _pendingCount;
    private int _bytesRead;
    private int _bytesWritten;
    private int _chars;
    private int _tokens;

    /// <summary>The number of ids whose characters have all been written.</summary>
    public int IdsConsumed { get; private set; }

    /// <summary>The number of their characters.</summary>
    public int CharsWritten { get; private set; }

    /// <summary>Decodes until an id is none of the tokenizer's or a character does not fit.</summary>
    public OperationStatus Decode(ByteTokenizer tokenizer, IEnumerable<int> ids)
    {
        foreach (int id in ids)
        {
            bool isToken = tokenizer.TryGetBytes(id, out ReadOnlySpan<byte> bytes);
            // A special token, and an id that is no token, ends the character before it.
            if (bytes.IsEmpty && !TryWrite(isFinal: true))
                return OperationStatus.DestinationTooSmall;

            if (!isToken)
                return OperationStatus.InvalidData;

            _bytesRead += bytes.Length;
            _ends.Enqueue(_bytesRead);
            CountWritten();
            foreach (byte value in bytes)
            {
                _pending[_pendingCount++] = value;
                if (!TryWrite(isFinal: false))
                    return OperationStatus.DestinationTooSmall;
            }
        }

        return _pendingCount > 0 ? OperationStatus.NeedMoreData : OperationStatus.Done;
    }

    private bool TryWrite(bool isFinal)
    {
        Span<char> chars = stackalloc char[2];
        while (_pendingCount > 0 && Wtf8.DecodeFirst(_pending.AsSpan(0, _pendingCount), isFinal, chars, out int bytesRead, out int count))
        {
            if (!chars[..count].TryCopyTo(_destination[_chars..]))
                return false;

            _pendingCount -= bytesRead;
            _pending.AsSpan(bytesRead, _pendingCount).CopyTo(_pending);
            _bytesWritten += bytesRead;
            _chars += count;
            CountWritten();
        }

        return true;
    }

    // Decoding can go on behind a token only where its end is that of a character too.
    private void CountWritten()
    {
        while (_ends.TryPeek(out int end) && end <= _bytesWritten)
        {
            _ends.Dequeue();
            _tokens++;
            if (end == _bytesWritten)
                (IdsConsumed, CharsWritten) = (_tokens, _chars);
        }
    }
}
