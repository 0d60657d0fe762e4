using MLNetExtension.Files;

namespace MLNetExtension.Safetensors;

/// <summary>A safetensors file with a valid header.</summary>
/// <param name="Path">Its path.</param>
/// <param name="DataStart">Where its data starts, in bytes.</param>
/// <param name="Entries">Its tensors in the order of their bytes.</param>
internal sealed record SafetensorsFile(string Path, long DataStart, IReadOnlyList<SafetensorsEntry> Entries)
{
    /// <summary>Reads the header.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is not a regular file, or the header breaks a rule; the message names the file.</exception>
    public static SafetensorsFile Open(string path)
    {
        using FileStream stream = OpenRead(path);
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
    public FileStream OpenRead() => OpenRead(Path);

    // Without a buffer: readers read large pieces straight into a tensor's memory.
    private static FileStream OpenRead(string path) => RegularFile.OpenRead(path, bufferSize: 0);
}
