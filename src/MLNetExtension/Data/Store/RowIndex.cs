namespace MLNetExtension.Data.Store;

/// <summary>Where each example of a store begins, how many positions it has and how many targets: 16 bytes a row, in chunks that are never copied.</summary>
internal sealed class RowIndex
{
    private const int ChunkRows = 1 << 16, FirstRows = 1 << 8;

    private readonly List<RowEntry[]> _chunks = [];

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    public RowEntry this[int row] => _chunks[row / ChunkRows][row % ChunkRows];

    /// <summary>The entries in order, chunk by chunk.</summary>
    public IEnumerable<ReadOnlyMemory<RowEntry>> Chunks => _chunks.Select((chunk, i) => new ReadOnlyMemory<RowEntry>(chunk, 0, Math.Min(ChunkRows, Count - i * ChunkRows)));

    /// <summary>Adds the next example.</summary>
    /// <exception cref="NotSupportedException">There are as many as an epoch can order.</exception>
    public void Add(RowEntry entry)
    {
        if (Count == Array.MaxLength)
            throw new NotSupportedException(FormattableString.Invariant($"The data has more rows than the {Array.MaxLength} that one training can order."));
        int at = Count % ChunkRows;
        if (at == 0)
            _chunks.Add(new RowEntry[Count == 0 ? FirstRows : ChunkRows]);
        RowEntry[] chunk = _chunks[^1];
        if (at == chunk.Length)
        {
            Array.Resize(ref chunk, ChunkRows);
            _chunks[^1] = chunk;
        }
        chunk[at] = entry;
        Count++;
    }
}

/// <param name="Offset">Where its bytes begin; they end where those of the next begin.</param>
/// <param name="Length">Its number of positions.</param>
/// <param name="TargetCount">Its number of targets.</param>
internal readonly record struct RowEntry(long Offset, int Length, int TargetCount);
