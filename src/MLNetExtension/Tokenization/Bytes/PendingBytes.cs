using System.Runtime.CompilerServices;

namespace MLNetExtension.Tokenization.Bytes;

/// <summary>The bytes of a character that is not complete yet: bytes go in one by one, and characters come out with their last byte.</summary>
internal struct PendingBytes
{
    // Three bytes can wait for a fourth; after every Add the caller takes all that is complete.
    private Storage _storage;
    private int _count;

    /// <summary>The number of bytes that wait.</summary>
    public readonly int Count => _count;

    /// <summary>Adds a byte. Call <see cref="TryPeek"/> and <see cref="Remove"/> until nothing more comes before adding the next.</summary>
    public void Add(byte value) => _storage[_count++] = value;

    /// <summary>Decodes the first character without taking it out; see <see cref="Wtf8.DecodeFirst"/>.</summary>
    public readonly bool TryPeek(bool isFinal, Span<char> chars, out int bytesRead, out int charsWritten)
    {
        if (_count > 0)
            return Wtf8.DecodeFirst(((ReadOnlySpan<byte>)_storage)[.._count], isFinal, chars, out bytesRead, out charsWritten);

        bytesRead = charsWritten = 0;
        return false;
    }

    /// <summary>Takes the first <paramref name="bytes"/> bytes out.</summary>
    public void Remove(int bytes)
    {
        ((ReadOnlySpan<byte>)_storage)[bytes.._count].CopyTo(_storage);
        _count -= bytes;
    }

    [InlineArray(4)]
    private struct Storage
    {
        private byte first;
    }
}
