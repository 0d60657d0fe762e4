namespace MLNetExtension.Data.Store;

/// <summary>The bytes of a store, written front to back and read anywhere.</summary>
internal interface IStoredBytes : IDisposable
{
    /// <summary>How many were appended.</summary>
    long Length { get; }

    /// <summary>Appends bytes.</summary>
    /// <exception cref="IOException">They cannot be written.</exception>
    void Append(ReadOnlySpan<byte> bytes);

    /// <summary>Reads bytes; any number of threads may do so.</summary>
    /// <exception cref="IOException">They cannot be read.</exception>
    void Read(long offset, Span<byte> bytes);
}
