using System.Globalization;
using System.Text.Json;
using MLNetExtension.Files;

namespace MLNetExtension.Training.Resume;

/// <summary>A folder of checkpoints that one training holds, each a folder of its own named by its step, of which the newest whole one can be read whatever happened while it was written.</summary>
/// <remarks>
/// A checkpoint is written under another name: its files first, each flushed to the disk, then the marker that lists them with length and hash; then it is renamed. What a process that died left
/// under that other name is deleted when the folder is opened. The newest two are kept, or as many as is asked for: should the disk lose what it reported as written, an older one is still there.
/// </remarks>
internal sealed class CheckpointFolder : IDisposable
{
    /// <summary>Name of what is written to try the folder out, and deleted at once.</summary>
    public const string ProbeName = Prefix + "probe" + PartialSuffix;

    /// <summary>How many checkpoints are kept where nothing is said.</summary>
    public const int DefaultKept = 2;

    private const string Prefix = "step-", PartialSuffix = ".partial";

    private readonly string _folder;
    private readonly CheckpointLock _lock;
    private readonly Action<string> _warn;
    private readonly int _kept;
    private readonly List<int> _whole = [];    // known to be whole: what is resumed from, and what was written since

    private CheckpointFolder(string folder, CheckpointLock taken, Action<string> warn, int kept) => (_folder, _lock, _warn, _kept) = (folder, taken, warn, kept);

    /// <summary>The folder's full path.</summary>
    public string Path => _folder;

    /// <summary>The newest checkpoint that is whole; null where there is none and training starts from the beginning.</summary>
    public StoredCheckpoint? Newest { get; private set; }

    /// <summary>The state of <see cref="Newest"/>.</summary>
    public CheckpointMetadata? NewestState { get; private set; }

    /// <summary>Locks a folder until this object is disposed of, tries out whether it can be written, and finds the newest whole checkpoint.</summary>
    /// <param name="folder">Created if it is missing. What is not named like a checkpoint is left alone.</param>
    /// <param name="restartIfDamaged">Whether training starts from the beginning where there are checkpoints, but none is whole.</param>
    /// <param name="warn">Receives warnings: a damaged checkpoint, one that cannot be written. Null for nobody.</param>
    /// <param name="kept">How many checkpoints are kept, at least 1.</param>
    /// <exception cref="IOException">Another training is using the folder, or it cannot be used.</exception>
    /// <exception cref="InvalidDataException">There are checkpoints, but none is whole.</exception>
    /// <exception cref="NotSupportedException">A later version of this library wrote the newest.</exception>
    public static CheckpointFolder Open(string folder, bool restartIfDamaged = false, Action<string>? warn = null, int kept = DefaultKept)
    {
        string path = System.IO.Path.GetFullPath(folder);
        CheckpointFolder opened = new(path, CheckpointLock.Take(path), warn ?? (_ => { }), kept);
        try
        {
            opened.DeleteLeftovers();
            opened.FindNewest(restartIfDamaged);
            return opened;
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    /// <summary>Frees the folder for other trainings.</summary>
    public void Dispose() => _lock.Dispose();

    /// <summary>Writes a checkpoint, then deletes those before the newest that are kept.</summary>
    /// <param name="step">Steps taken, which names it.</param>
    /// <param name="files">Names of its files, and what writes them.</param>
    /// <param name="isOwn">Whether a checkpoint's state is of this training; others are neither deleted nor overwritten.</param>
    /// <exception cref="IOException">It cannot be written, and nothing of it is left.</exception>
    /// <exception cref="UnauthorizedAccessException">As above.</exception>
    public void Write(int step, IEnumerable<(string Name, Action<Stream> Write)> files, Predicate<CheckpointMetadata> isOwn)
    {
        StoredCheckpoint target = At(step);
        if (ReadState(target) is { } earlier && !isOwn(earlier))
            throw new IOException($"'{target.Path}' is a checkpoint of another training.");
        List<CheckpointFile> entries = [];
        using (StagedFiles staged = new(target.Path + PartialSuffix))
        {
            foreach ((string name, Action<Stream> write) in files)
                staged.Write(name, stream => entries.Add(CheckpointFile.Write(name, stream, write)));
            staged.Write(StoredCheckpoint.MarkerFile, stream => JsonSerializer.Serialize(stream, entries));
            staged.MoveTo(target.Path);
        }
        _whole.Add(step);
        if (_whole.Count >= Math.Min(_kept, 2))
            DeleteBefore(_whole[Math.Max(0, _whole.Count - _kept)], isOwn);
    }

    /// <summary>Passes a warning on.</summary>
    public void Warn(string message) => _warn(message);

    private void FindNewest(bool restartIfDamaged)
    {
        List<string> damaged = [];
        foreach (StoredCheckpoint checkpoint in List().Reverse())
        {
            try
            {
                (NewestState, Newest) = (checkpoint.Verify(), checkpoint);
                _whole.Add(checkpoint.Step);
                return;
            }
            catch (Exception exception) when (exception is InvalidDataException or IOException or UnauthorizedAccessException)
            {
                damaged.Add($"'{checkpoint.Path}' ({exception.Message.TrimEnd('.')})");
                Warn($"The checkpoint '{checkpoint.Path}' is damaged and is passed over: {exception.Message}");
            }
        }
        if (damaged.Count > 0 && !restartIfDamaged)
            throw new InvalidDataException($"There are checkpoints in '{_folder}', but none is whole, so the training cannot be resumed: {string.Join(", ", damaged)}. "
                + "Delete the folder or name another, or set Checkpoints.RestartIfDamaged, to start from the beginning.");
        if (damaged.Count > 0)
            Warn($"No checkpoint in '{_folder}' is whole: training starts from the beginning, and overwrites them as it comes to their steps.");
    }

    // The lock shows that nobody is writing them.
    private void DeleteLeftovers()
    {
        if (!_lock.IsEffective)
        {
            Warn($"The file system of Checkpoints.Folder '{_folder}' has no locks: make sure that no other training uses the folder.");
            return;
        }
        foreach (string partial in Directory.GetDirectories(_folder, $"{Prefix}*{PartialSuffix}*"))
            TryDelete(partial);
    }

    // Those from the step on are known to be whole. Where they are fewer than are kept, the newest before them, of an earlier process, stay too.
    private void DeleteBefore(int step, Predicate<CheckpointMetadata> isOwn)
    {
        StoredCheckpoint[] earlier = [.. List().Where(checkpoint => checkpoint.Step < step && ReadState(checkpoint) is { } state && isOwn(state))];
        foreach (StoredCheckpoint checkpoint in earlier.SkipLast(Math.Max(0, _kept - _whole.Count)))
            TryDelete(checkpoint.Path);
    }

    private void TryDelete(string path)
    {
        try
        {
            StagedFiles.DeleteFolder(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Warn($"'{path}', which is no longer needed, cannot be deleted: {exception.Message}");
        }
    }

    // Null where it cannot be told: such a checkpoint is nobody's, and is left alone until one of the same step is written.
    private static CheckpointMetadata? ReadState(StoredCheckpoint checkpoint)
    {
        try
        {
            return checkpoint.ReadState();
        }
        catch (Exception exception) when (exception is InvalidDataException or IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return null;
        }
    }

    private StoredCheckpoint At(int step) => new(System.IO.Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"{Prefix}{step:D10}")), step);

    // In ascending order, whole or not.
    private IReadOnlyList<StoredCheckpoint> List()
    {
        List<StoredCheckpoint> found = [];
        foreach (string path in Directory.EnumerateDirectories(_folder, $"{Prefix}*"))
        {
            string digits = System.IO.Path.GetFileName(path)[Prefix.Length..];
            if (int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int step) && System.IO.Path.GetFileName(At(step).Path) == System.IO.Path.GetFileName(path))
                found.Add(At(step));
        }
        found.Sort((a, b) => a.Step.CompareTo(b.Step));
        return found;
    }
}
