namespace MLNetExtension.Data.Store;

/// <summary>The bytes of a small store, in memory: chunks that are never copied.</summary>
internal sealed class MemoryBytes : IStoredBytes
{
    private const int ChunkSize = 1 << 20;

    private readonly List<byte[]> _chunks = [];

    /// <inheritdoc/>
    public long Length { get; private set; }

    /// <inheritdoc/>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int at = (int)(Length % ChunkSize), count = Math.Min(bytes.Length, ChunkSize - at);
            if (at == 0)
                _chunks.Add(NewChunk(count));
            byte[] chunk = Room(at + count);
            bytes[..count].CopyTo(chunk.AsSpan(at));
            bytes = bytes[count..];
            Length += count;
        }
    }

    /// <inheritdoc/>
    public void Read(long offset, Span<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int at = (int)(offset % ChunkSize), count = Math.Min(bytes.Length, ChunkSize - at);
            _chunks[(int)(offset / ChunkSize)].AsSpan(at, count).CopyTo(bytes);
            bytes = bytes[count..];
            offset += count;
        }
    }

    /// <summary>Appends everything to others and lets go of it, chunk by chunk.</summary>
    public void MoveTo(IStoredBytes others)
    {
        for (int i = 0; i < _chunks.Count; i++)
        {
            others.Append(_chunks[i].AsSpan(0, (int)Math.Min(ChunkSize, Length - (long)i * ChunkSize)));
            _chunks[i] = [];
        }
        Dispose();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _chunks.Clear();
        Length = 0;
    }

    // The first chunk grows, since most stores of tests and examples hold little; the others are whole.
    private byte[] NewChunk(int count) => new byte[_chunks.Count == 0 ? Math.Min(ChunkSize, 2 * count) : ChunkSize];

    private byte[] Room(int count)
    {
        byte[] chunk = _chunks[^1];
        if (chunk.Length < count)
        {
            Array.Resize(ref chunk, Math.Min(ChunkSize, 2 * count));
            _chunks[^1] = chunk;
        }
        return chunk;
    }
}
