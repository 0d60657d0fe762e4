namespace MLNetExtension.Safetensors;

/// <summary>A safetensors file whose header has been read and checked against the file's size.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="DataStart">Where its data begin, in bytes.</param>
/// <param name="Entries">Its tensors in the order of their bytes.</param>
internal sealed record SafetensorsFile(string Path, long DataStart, IReadOnlyList<SafetensorsEntry> Entries)
{
    /// <summary>Reads the header.</summary>
    /// <exception cref="InvalidDataException">The header breaks a rule; the message names the file.</exception>
    public static SafetensorsFile Open(string path)
    {
        using FileStream stream = Read(path);
        try
        {
            IReadOnlyList<SafetensorsEntry> entries = SafetensorsHeader.Read(stream, stream.Length);
            return new SafetensorsFile(path, stream.Position, entries);
        }
        catch (InvalidDataException exception)
        {
            throw new InvalidDataException($"{path}: {exception.Message}", exception);
        }
    }

    /// <summary>Opens the file for reading its tensors.</summary>
    public FileStream Read() => Read(Path);

    // Without a buffer of its own: whoever reads takes a piece of a tensor at a time, straight into its memory.
    private static FileStream Read(string path) => new(path, new FileStreamOptions { Options = FileOptions.SequentialScan, BufferSize = 0 });
}
