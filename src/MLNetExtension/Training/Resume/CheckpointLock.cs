using MLNetExtension.Files;

namespace MLNetExtension.Training.Resume;

/// <summary>Reserves a folder of checkpoints for one training, of this process or another, until it ends or dies.</summary>
internal sealed class CheckpointLock : IDisposable
{
    private const string FileName = "training.lock";

    private readonly string _folder;
    private readonly bool _isNew;    // whether the folder was created here
    private readonly LockFile _file;

    private CheckpointLock(string folder)
    {
        _folder = folder;
        _isNew = !Directory.Exists(folder);
        Directory.CreateDirectory(folder);
        _file = LockFile.TryTake(Path.Combine(folder, FileName), deleteOnDispose: true)
            ?? throw new IOException("another training is using it; wait for its end, or name another folder.");
    }

    /// <summary>Whether the lock keeps other trainings out: false where the file system has no locks.</summary>
    public bool IsEffective { get; private set; }

    /// <summary>Creates the folder where it is missing, locks it, and tries out whether checkpoints can be written there.</summary>
    /// <param name="folder">The folder's full path.</param>
    /// <exception cref="IOException">Another training is using the folder, or it cannot be used; the message names it and the option, and says why.</exception>
    public static CheckpointLock Take(string folder)
    {
        CheckpointLock? taken = null;
        try
        {
            taken = new CheckpointLock(folder);
            taken.TryOut();
            return taken;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            taken?.Dispose();
            throw new IOException($"Checkpoints.Folder '{folder}' cannot be used: {exception.Message}", exception);
        }
    }

    /// <summary>Frees the folder, and deletes it where it was created for a training that has written nothing.</summary>
    public void Dispose()
    {
        _file.Dispose();
        try
        {
            if (_isNew && !Directory.EnumerateFileSystemEntries(_folder).Any())
                Directory.Delete(_folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // An empty folder is left behind, which harms nobody.
        }
    }

    private void TryOut()
    {
        // A lock that works keeps out its own process, too.
        using LockFile? second = LockFile.TryTake(Path.Combine(_folder, FileName));
        IsEffective = second is null;
        using StagedFiles probe = new(Path.Combine(_folder, CheckpointFolder.ProbeName));
        probe.Write("probe", stream => stream.WriteByte(0));
    }
}
