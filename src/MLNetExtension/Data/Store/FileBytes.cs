using Microsoft.Win32.SafeHandles;

namespace MLNetExtension.Data.Store;

/// <summary>The bytes of a large store, in a file.</summary>
/// <remarks>Read by position, not through a mapping: pages of a mapping count as the process's memory, and a file that is cut short under one ends the process instead of throwing.</remarks>
internal sealed class FileBytes : IStoredBytes
{
    private readonly SafeFileHandle _handle;
    private readonly string _path;

    private FileBytes(SafeFileHandle handle, string path, long length) => (_handle, _path, Length) = (handle, path, length);

    /// <inheritdoc/>
    public long Length { get; private set; }

    /// <summary>Creates a file that is gone with this object, however the process ends.</summary>
    /// <param name="folder">Where it is to be.</param>
    /// <exception cref="IOException">It cannot be created.</exception>
    public static FileBytes CreateTemporary(string folder)
    {
        string path = Path.Combine(folder, $"tokens-{Path.GetRandomFileName()}.tmp");
        FileBytes file = Create(path, FileOptions.DeleteOnClose);
        // A file without a name goes with the last handle to it. Windows deletes it when the process ends.
        if (!OperatingSystem.IsWindows())
            File.Delete(path);
        return file;
    }

    /// <summary>Creates a file.</summary>
    /// <exception cref="IOException">It cannot be created.</exception>
    public static FileBytes Create(string path, FileOptions options = FileOptions.None) =>
        Try(path, "created", () => new FileBytes(File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete, options), path, 0));

    /// <summary>Opens a file to read.</summary>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public static FileBytes Open(string path) => Try(path, "read", () =>
    {
        SafeFileHandle handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
        return new FileBytes(handle, path, RandomAccess.GetLength(handle));
    });

    /// <inheritdoc/>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        try
        {
            RandomAccess.Write(_handle, bytes, Length);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException || IsTooLarge(exception))
        {
            throw Failed(_path, "written", exception);
        }
        Length += bytes.Length;
    }

    /// <inheritdoc/>
    public void Read(long offset, Span<byte> bytes)
    {
        try
        {
            while (!bytes.IsEmpty)
            {
                int count = RandomAccess.Read(_handle, bytes, offset);
                if (count == 0)
                    throw new EndOfStreamException(FormattableString.Invariant($"it ends at byte {offset}, before the row that is read"));
                bytes = bytes[count..];
                offset += count;
            }
        }
        catch (IOException exception)
        {
            throw Failed(_path, "read", exception);
        }
    }

    /// <summary>Makes sure that what was appended is on the disk.</summary>
    public void Flush() => Try(_path, "written", () =>
    {
        RandomAccess.FlushToDisk(_handle);
        return 0;
    });

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    private static T Try<T>(string path, string what, Func<T> act)
    {
        try
        {
            return act();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Failed(path, what, exception);
        }
    }

    private static IOException Failed(string path, string what, Exception exception) => new(
        $"The file of token ids '{path}' cannot be {what}: {exception.Message.TrimEnd('.')}. The option TokenCacheFolder names the folder of such files; without it, it is the temporary folder.", exception);

    // What .NET throws where a file grows beyond what its file system or the user's quota allows (EFBIG).
    private static bool IsTooLarge(Exception exception) => exception is ArgumentOutOfRangeException { ParamName: "value", Source: "System.Private.CoreLib" };
}
