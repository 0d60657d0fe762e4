using System.Globalization;
using System.Text.Json;
using MLNetExtension.Safetensors;

namespace MLNetExtension.Training.Resume;

/// <summary>A folder of checkpoints of one training, each a folder of its own; whatever happens, the newest that is whole can be read.</summary>
/// <remarks>
/// A checkpoint is written under another name: its files first, each forced to the disk, then the marker that lists them with length and hash, then the rename. Whatever a crash leaves has
/// that other name or lacks a file that the marker lists, and is passed over. The newest two are kept: should the disk lose what it promised to have written, the older one is still there.
/// </remarks>
/// <param name="folder">Made where it is missing. What is not named like a checkpoint is left alone.</param>
internal sealed class CheckpointStore(string folder)
{
    private const string Prefix = "step-", Unfinished = ".partial", Marker = "complete.json";
    private const int Kept = 2;

    /// <summary>The folder.</summary>
    public string Folder => folder;

    /// <summary>Writes a checkpoint and removes those that it makes superfluous.</summary>
    /// <param name="step">Steps taken, which names it.</param>
    /// <param name="files">Names of its files, and what writes them.</param>
    public void Write(int step, IEnumerable<(string Name, Action<Stream> Write)> files)
    {
        string target = PathOf(step), partial = target + Unfinished;
        Remove(partial);
        Directory.CreateDirectory(partial);
        var written = new List<FileEntry>();
        foreach (var (name, write) in files)
        {
            WriteToDisk(Path.Combine(partial, name), stream =>
            {
                using var hashing = new HashingStream(stream);
                write(hashing);
                written.Add(new FileEntry(name, hashing.Count, hashing.Hash));
            });
        }
        WriteToDisk(Path.Combine(partial, Marker), stream => JsonSerializer.Serialize(stream, written));
        Remove(target);
        Directory.Move(partial, target);
        foreach (string old in Steps().Where(other => other < step).SkipLast(Kept - 1).Select(PathOf).Concat(Directory.EnumerateDirectories(folder, $"{Prefix}*{Unfinished}")).ToArray())
            Remove(old);
    }

    /// <summary>The step of the newest checkpoint that is whole; null where there is none.</summary>
    public int? Newest() => Steps().Reverse().Select(step => (int?)step).FirstOrDefault(step => FilesOf(step!.Value) is not null);

    /// <summary>Reads a file of a checkpoint front to back, and checks that its bytes are those that were written.</summary>
    /// <param name="step">A step that <see cref="Newest"/> gave.</param>
    /// <param name="name">The file's name.</param>
    /// <param name="read">Takes the stream and its length in bytes.</param>
    /// <exception cref="InvalidDataException">The file is missing, changed, or not what <paramref name="read"/> expects.</exception>
    public void Read(int step, string name, Action<Stream, long> read)
    {
        string path = Path.Combine(PathOf(step), name);
        var expected = FilesOf(step)?.FirstOrDefault(file => file.Name == name) ?? throw new InvalidDataException($"The checkpoint has no file '{path}'.");
        try
        {
            using var file = File.OpenRead(path);
            using var hashing = new HashingStream(file);
            read(hashing, expected.Length);
            hashing.CopyTo(Stream.Null);
            if (hashing.Hash != expected.Sha256)
                throw new InvalidDataException("its bytes have been changed since they were written.");
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException or JsonException)
        {
            throw new InvalidDataException($"The checkpoint's file '{path}' cannot be read: {exception.Message}", exception);
        }
    }

    private string PathOf(int step) => Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{Prefix}{step:D10}"));

    // In their order.
    private int[] Steps() => !Directory.Exists(folder) ? [] : [.. Directory.EnumerateDirectories(folder, $"{Prefix}*")
        .Select(path => int.TryParse(Path.GetFileName(path)[Prefix.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out int step) ? step : -1)
        .Where(step => step >= 0 && Directory.Exists(PathOf(step)))
        .Order()];

    // Null where the checkpoint is not whole.
    private FileEntry[]? FilesOf(int step)
    {
        try
        {
            var files = JsonSerializer.Deserialize<FileEntry[]>(File.ReadAllBytes(Path.Combine(PathOf(step), Marker)));
            return files?.All(file => new FileInfo(Path.Combine(PathOf(step), file.Name)) is { Exists: true } found && found.Length == file.Length) == true ? files : null;
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException or JsonException)
        {
            return null;
        }
    }

    private static void WriteToDisk(string path, Action<Stream> write)
    {
        using var stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1 << 16);
        write(stream);
        stream.Flush(flushToDisk: true);
    }

    private static void Remove(string path)
    {
        if (Directory.Exists(path))
            Directory.Delete(path, recursive: true);
    }

    private sealed record FileEntry(string Name, long Length, string Sha256);
}
