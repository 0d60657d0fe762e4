using System.Buffers;
using System.Collections;

namespace MLNetExtension.Data.Store;

/// <summary>The examples of a data set, more than memory could hold: an example is made when it is asked for, and reads its ids when they are.</summary>
/// <param name="bytes">What <see cref="StoredRow"/> wrote, one after another.</param>
/// <param name="index">Where each begins.</param>
/// <param name="bytesPerId">Bytes of an id, 2 or 4.</param>
/// <param name="end">Where the last row ends.</param>
internal sealed class TokenStore(IStoredBytes bytes, RowIndex index, int bytesPerId, long end) : IReadOnlyList<TokenExample>, IDisposable
{
    private const int SmallRow = 1 << 12;

    /// <summary>How many examples there are.</summary>
    public int Count => index.Count;

    /// <summary>Where each begins.</summary>
    public RowIndex Index => index;

    /// <summary>Bytes of an id, 2 or 4.</summary>
    public int BytesPerId => bytesPerId;

    /// <summary>Makes an example; each call makes another.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such example.</exception>
    public TokenExample this[int row]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)Count, nameof(row));
            RowEntry entry = index[row];
            return new TokenExample(this, row, entry.Length, entry.TargetCount);
        }
    }

    /// <inheritdoc/>
    public IEnumerator<TokenExample> GetEnumerator()
    {
        for (int row = 0; row < Count; row++)
            yield return this[row];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Reads the content of an example.</summary>
    /// <exception cref="IOException">The store's file cannot be read.</exception>
    public ExampleContent Read(int row)
    {
        RowEntry entry = index[row];
        int size = (int)((row + 1 < Count ? index[row + 1].Offset : end) - entry.Offset);
        byte[]? rented = size > SmallRow ? ArrayPool<byte>.Shared.Rent(size) : null;
        Span<byte> stored = rented is null ? stackalloc byte[size] : rented.AsSpan(0, size);
        try
        {
            bytes.Read(entry.Offset, stored);
            return StoredRow.Read(stored, entry.Length, entry.TargetCount, bytesPerId);
        }
        finally
        {
            if (rented is not null)
                ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>Lets go of the memory, or of the file, which is deleted where it is temporary.</summary>
    public void Dispose() => bytes.Dispose();
}
