using System.Globalization;
using System.Text.Json;
using MLNetExtension.Files;

namespace MLNetExtension.Training.Resume;

/// <summary>A folder of checkpoints of one training run, each a folder of its own named by its step, of which the newest complete one can be read whatever happened while it was written.</summary>
/// <remarks>
/// A checkpoint is written under another name: its files first, each flushed to the disk, then the marker that lists them with length and hash; then it is renamed. What a crash leaves behind
/// has that other name or lacks a file that the marker lists, and is ignored. The newest two are kept: should the disk lose what it reported as written, the older one is still there.
/// </remarks>
/// <param name="folder">Created if it is missing. What is not named like a checkpoint is left alone.</param>
internal sealed class CheckpointFolder(string folder)
{
    private const string Prefix = "step-", PartialSuffix = ".partial", MarkerName = "complete.json";

    /// <summary>Writes a checkpoint, then deletes all but the newest two and what a crash left behind.</summary>
    /// <param name="step">Steps taken, which names it.</param>
    /// <param name="files">Names of its files, and what writes them.</param>
    public void Write(int step, IEnumerable<(string Name, Action<Stream> Write)> files)
    {
        string target = PathOf(step);
        List<FileEntry> entries = [];
        using (StagedFiles staged = new(target + PartialSuffix))
        {
            foreach ((string name, Action<Stream> write) in files)
                staged.Write(name, stream => entries.Add(WriteHashed(name, write, stream)));
            staged.Write(MarkerName, stream => JsonSerializer.Serialize(stream, entries));
            staged.MoveTo(target);
        }
        DeleteOlder(step);
    }

    /// <summary>Finds the step of the newest complete checkpoint; null where there is none.</summary>
    public int? FindNewest()
    {
        foreach (int step in FindSteps().Reverse())
        {
            if (ReadMarker(step) is not null)
                return step;
        }
        return null;
    }

    /// <summary>Reads a file of a checkpoint from beginning to end, and checks that its bytes are those that were written.</summary>
    /// <param name="step">A step that <see cref="FindNewest"/> returned.</param>
    /// <param name="name">The file's name.</param>
    /// <param name="read">Takes the stream and its length in bytes.</param>
    /// <exception cref="InvalidDataException">The file is missing, changed, or not what <paramref name="read"/> expects.</exception>
    public void Read(int step, string name, Action<Stream, long> read)
    {
        string path = Path.Combine(PathOf(step), name);
        FileEntry? expected = ReadMarker(step)?.FirstOrDefault(file => file.Name == name);
        if (expected is null)
            throw new InvalidDataException($"The checkpoint has no file '{path}'.");
        try
        {
            using FileStream file = File.OpenRead(path);
            using HashingStream hashing = new(file);
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

    private void DeleteOlder(int step)
    {
        int[] older = [.. FindSteps().Where(other => other < step)];
        foreach (int old in older.SkipLast(1))
            StagedFiles.DeleteFolder(PathOf(old));
        foreach (string partial in Directory.GetDirectories(folder, $"{Prefix}*{PartialSuffix}*"))
            StagedFiles.DeleteFolder(partial);
    }

    // In ascending order, complete or not.
    private IReadOnlyList<int> FindSteps()
    {
        if (!Directory.Exists(folder))
            return [];
        List<int> steps = [];
        foreach (string path in Directory.EnumerateDirectories(folder, $"{Prefix}*"))
        {
            string digits = Path.GetFileName(path)[Prefix.Length..];
            if (int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int step) && Path.GetFileName(PathOf(step)) == Path.GetFileName(path))
                steps.Add(step);
        }
        steps.Sort();
        return steps;
    }

    // Null where the checkpoint is not complete.
    private FileEntry[]? ReadMarker(int step)
    {
        string checkpoint = PathOf(step);
        try
        {
            FileEntry[]? entries = JsonSerializer.Deserialize<FileEntry[]>(File.ReadAllBytes(Path.Combine(checkpoint, MarkerName)));
            return entries is not null && entries.All(entry => IsComplete(checkpoint, entry)) ? entries : null;
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException or JsonException)
        {
            return null;
        }
    }

    private static bool IsComplete(string checkpoint, FileEntry entry)
    {
        FileInfo file = new(Path.Combine(checkpoint, entry.Name));
        return file.Exists && file.Length == entry.Length;
    }

    private static FileEntry WriteHashed(string name, Action<Stream> write, Stream stream)
    {
        using HashingStream hashing = new(stream);
        write(hashing);
        return new FileEntry(name, hashing.Count, hashing.Hash);
    }

    private sealed record FileEntry(string Name, long Length, string Sha256);
}
