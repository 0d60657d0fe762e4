using System.Runtime.InteropServices;
using System.Security.Cryptography;
using MLNetExtension.Files;

namespace MLNetExtension.Data.Store;

/// <summary>A file of the cache that is being written: it has its name once it is whole.</summary>
internal sealed class CacheFile : IStoredBytes
{
    // Another training that begins may take a file for abandoned that has its name already and not yet its lock.
    private const int Attempts = 10;

    private readonly FileBytes _file;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly string _path;
    private bool _isKept;

    /// <summary>Creates the file under a temporary name.</summary>
    /// <param name="folder">The cache.</param>
    /// <exception cref="IOException">It cannot be created.</exception>
    public CacheFile(string folder)
    {
        for (int attempt = 1; ; attempt++)
        {
            _path = Path.Combine(folder, $"{Path.GetRandomFileName()}{TokenCache.Unfinished}");
            try
            {
                _file = FileBytes.Create(_path);
                return;
            }
            catch (IOException exception) when (attempt < Attempts && exception.InnerException is IOException inner && LockFile.IsSharingViolation(inner))
            {
            }
        }
    }

    /// <inheritdoc/>
    public long Length => _file.Length;

    /// <inheritdoc/>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        _hash.AppendData(bytes);
        _file.Append(bytes);
    }

    /// <inheritdoc/>
    public void Read(long offset, Span<byte> bytes) => _file.Read(offset, bytes);

    /// <summary>Writes index and footer, and gives the file its name.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Keep(string path, RowIndex index, CacheFooter footer)
    {
        footer.Bytes = Length;
        foreach (ReadOnlyMemory<RowEntry> chunk in index.Chunks)
            Append(MemoryMarshal.AsBytes(chunk.Span));
        footer.Content = footer.HashAfter(_hash);
        _file.Append(MemoryMarshal.AsBytes(MemoryMarshal.CreateReadOnlySpan(ref footer, 1)));
        _file.Flush();
        File.Move(_path, path, overwrite: true);
        _isKept = true;
    }

    /// <summary>Closes the file, and deletes it where it was not kept.</summary>
    public void Dispose()
    {
        _hash.Dispose();
        _file.Dispose();
        if (!_isKept)
            File.Delete(_path);
    }
}
