using System.Runtime.CompilerServices;

namespace MLNetExtension.Tokenization;

/// <summary>The bytes of a character that is not complete yet: bytes go in one by one, characters come out as soon as they are settled.</summary>
internal struct PendingBytes
{
    // Three bytes can wait for a fourth; after every Add the caller takes all that is settled.
    private Storage storage;
    private int count;

    /// <summary>The bytes that wait.</summary>
    public readonly int Count => count;

    /// <summary>Adds a byte. Call <see cref="TryPeek"/> and <see cref="Remove"/> until nothing more comes before adding the next.</summary>
    public void Add(byte value) => storage[count++] = value;

    /// <summary>Decodes the first character without taking it out; see <see cref="Wtf8.DecodeFirst"/>.</summary>
    public readonly bool TryPeek(bool isFinal, Span<char> chars, out int bytesRead, out int charsWritten)
    {
        if (count > 0)
            return Wtf8.DecodeFirst(((ReadOnlySpan<byte>)storage)[..count], isFinal, chars, out bytesRead, out charsWritten);

        bytesRead = charsWritten = 0;
        return false;
    }

    /// <summary>Takes the first <paramref name="bytes"/> bytes out.</summary>
    public void Remove(int bytes)
    {
        ((ReadOnlySpan<byte>)storage)[bytes..count].CopyTo(storage);
        count -= bytes;
    }

    [InlineArray(4)]
    private struct Storage
    {
        private byte first;
    }
}
