namespace MLNetExtension.Files;

/// <summary>A file that one object of one process holds at a time. The end of the process, however it comes, lets go of it.</summary>
/// <remarks>The lock is advisory: it excludes others that ask for it. File systems that have no locks, as some network shares, exclude nobody.</remarks>
internal sealed class LockFile : IDisposable
{
    private readonly FileStream _stream;

    private LockFile(FileStream stream) => _stream = stream;

    /// <summary>Takes the lock.</summary>
    /// <param name="path">The file; created if it is missing.</param>
    /// <param name="deleteOnDispose">Whether the file is deleted afterwards: only where nobody else may be waiting to take it.</param>
    /// <returns>The lock; null where another holds it.</returns>
    /// <exception cref="IOException">The file cannot be created.</exception>
    /// <exception cref="UnauthorizedAccessException">The file cannot be created.</exception>
    public static LockFile? TryTake(string path, bool deleteOnDispose = false)
    {
        FileOptions options = deleteOnDispose ? FileOptions.DeleteOnClose : FileOptions.None;
        try
        {
            return new LockFile(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 1, options));
        }
        catch (IOException exception) when (IsSharingViolation(exception))
        {
            return null;
        }
    }

    /// <summary>Lets go of the file.</summary>
    public void Dispose() => _stream.Dispose();

    /// <summary>Whether a file could not be opened because another holds it.</summary>
    /// <param name="exception">What opening it has thrown.</param>
    public static bool IsSharingViolation(IOException exception) => exception.HResult is unchecked((int)0x80070020) or 11 or 35;    // Windows: ERROR_SHARING_VIOLATION. Elsewhere EWOULDBLOCK, on Linux and on macOS.
}
