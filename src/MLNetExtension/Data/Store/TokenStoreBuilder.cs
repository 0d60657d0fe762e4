namespace MLNetExtension.Data.Store;

/// <summary>Collects encoded rows: in memory up to a limit, in a file beyond it.</summary>
/// <param name="bytes">Where the rows go.</param>
/// <param name="bytesPerId">Bytes of an id, 2 or 4.</param>
/// <param name="memoryLimit">How many bytes are kept in memory.</param>
/// <param name="folder">Where the file is to be, if one is needed.</param>
internal sealed class TokenStoreBuilder(IStoredBytes bytes, int bytesPerId, long memoryLimit, string folder) : IDisposable
{
    private readonly RowIndex _index = new();
    private IStoredBytes? _bytes = bytes;    // null once they are the store's
    private RowCounts _counts;

    /// <summary>How many rows were appended.</summary>
    public long Rows => _counts.Rows;

    /// <summary>Appends rows.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Append(EncodedRows rows)
    {
        long offset = _bytes!.Length;
        foreach (ReadOnlyMemory<byte> chunk in rows.Bytes.Chunks)
            Append(chunk.Span);
        foreach ((int size, int length, int targetCount) in rows.Examples)
        {
            _index.Add(new RowEntry(offset, length, targetCount));
            offset += size;
        }
        _counts += rows.Counts;
    }

    /// <summary>Makes the store, which owns what was collected.</summary>
    public StoredRows Complete()
    {
        TokenStore store = new(_bytes!, _index, bytesPerId, _bytes!.Length);
        _bytes = null;
        return new StoredRows(store, _counts);
    }

    /// <summary>Lets go of what was collected, unless a store owns it.</summary>
    public void Dispose() => _bytes?.Dispose();

    private void Append(ReadOnlySpan<byte> chunk)
    {
        if (_bytes is MemoryBytes memory && memory.Length + chunk.Length > memoryLimit)
        {
            FileBytes file = FileBytes.CreateTemporary(folder);
            _bytes = file;
            memory.MoveTo(file);
        }
        _bytes!.Append(chunk);
    }
}
