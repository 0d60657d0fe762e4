namespace MLNetExtension.Files;

/// <summary>Reads files that a stranger may have made: a pipe, which makes its reader wait for ever, and a device, which may never end, are refused before they are opened.</summary>
/// <remarks>
/// <para>.NET does not tell the kinds of files apart, and opening a pipe is what blocks. Pipes and devices have the length 0, and nothing that is read by this class may be empty, so the length
/// decides. Symbolic links are followed: Hugging Face's cache is made of them.</para>
/// <para>A file that is replaced between the check and the opening is not noticed.</para>
/// </remarks>
internal static class RegularFile
{
    /// <summary>Opens a file.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="maximumBytes">The most bytes it may have. Default: any number.</param>
    /// <param name="bufferSize">Size of the stream's buffer, in bytes; 0 for none. Default 4,096.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is empty or not a regular file, or is too long; the message names it.</exception>
    public static FileStream OpenRead(string path, long maximumBytes = long.MaxValue, int bufferSize = 4096)
    {
        Check(path, maximumBytes);
        FileStream stream = new(path, new FileStreamOptions { Options = FileOptions.SequentialScan, BufferSize = bufferSize });
        if (stream.CanSeek)
            return stream;
        stream.Dispose();
        throw NotRegular(path);
    }

    /// <summary>Reads a whole file.</summary>
    /// <inheritdoc cref="OpenRead"/>
    public static byte[] ReadAllBytes(string path, int maximumBytes)
    {
        using FileStream stream = OpenRead(path, maximumBytes, bufferSize: 0);
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    private static void Check(string path, long maximumBytes)
    {
        if (!File.Exists(path))
            throw new FileNotFoundException($"{path} does not exist.", path);
        long length = LengthOf(path);
        if (length <= 0)
            throw NotRegular(path);
        if (length > maximumBytes)
            throw TooLong(path, length, maximumBytes);
    }

    // The length of a link is that of its text. Where what it leads to has no name, as /dev/stdin's pipe, it is no file.
    private static long LengthOf(string path)
    {
        FileInfo file = new(path);
        if (file.ResolveLinkTarget(returnFinalTarget: true) is { } target)
            file = new FileInfo(target.FullName);
        return file.Exists ? file.Length : 0;
    }

    private static InvalidDataException NotRegular(string path) => new($"{path} is empty or not a regular file; pipes and devices are not read.");

    private static InvalidDataException TooLong(string path, long length, long maximumBytes) => new($"{path} has {length} bytes, expected at most {maximumBytes}.");
}
