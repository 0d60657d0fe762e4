using System.Buffers;

namespace MLNetExtension.Data.Store;

/// <summary>Bytes that grow without being copied: chunks of about a megabyte from the shared pool.</summary>
internal sealed class ByteChunks : IDisposable
{
    private const int ChunkSize = 1 << 20;

    private readonly List<(byte[] Buffer, int Count)> _chunks = [];

    /// <summary>The bytes, chunk by chunk.</summary>
    public IEnumerable<ReadOnlyMemory<byte>> Chunks => _chunks.Select(chunk => new ReadOnlyMemory<byte>(chunk.Buffer, 0, chunk.Count));

    /// <summary>Gives room for that many bytes at the end; <see cref="Advance"/> says how many were written.</summary>
    public Span<byte> GetSpan(int count)
    {
        if (_chunks.Count == 0 || _chunks[^1].Buffer.Length - _chunks[^1].Count < count)
            _chunks.Add((ArrayPool<byte>.Shared.Rent(Math.Max(count, ChunkSize)), 0));
        return _chunks[^1].Buffer.AsSpan(_chunks[^1].Count);
    }

    /// <summary>Keeps that many bytes of what <see cref="GetSpan"/> gave.</summary>
    public void Advance(int count) => _chunks[^1] = _chunks[^1] with { Count = _chunks[^1].Count + count };

    /// <summary>Gives the chunks back to the pool.</summary>
    public void Dispose()
    {
        _chunks.ForEach(chunk => ArrayPool<byte>.Shared.Return(chunk.Buffer));
        _chunks.Clear();
    }
}
