using MLNetExtension.Files;

namespace MLNetExtension.Training.Resume;

/// <summary>Reserves a folder of checkpoints for one training, of this process or another: a file in it is open, and locked, until the training ends.</summary>
/// <remarks>
/// The operating system frees the lock of a process that dies: on Unix .NET takes it by <c>flock</c>, on Windows by the sharing mode. Where a file system knows no locks, or they are turned off
/// (<c>System.IO.DisableFileLocking</c>), .NET opens the file without one and says nothing: <see cref="IsEffective"/> is false then.
/// </remarks>
internal sealed class CheckpointLock : IDisposable
{
    private const string FileName = "training.lock";

    private readonly string _folder;
    private readonly bool _isNew;    // whether the folder was created here
    private readonly FileStream _file;

    private CheckpointLock(string folder)
    {
        _folder = folder;
        _isNew = !Directory.Exists(folder);
        Directory.CreateDirectory(folder);
        _file = OpenFile();
    }

    /// <summary>Whether the lock keeps other trainings out.</summary>
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
            taken.IsEffective = taken.IsHeld();
            using StagedFiles probe = new(Path.Combine(folder, CheckpointFolder.ProbeName));
            probe.Write("probe", stream => stream.WriteByte(0));
            return taken;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            taken?.Dispose();
            string what = IsLocked(exception) ? "is used by another training: wait for it to end, or name another folder" : $"cannot be used: {exception.Message}";
            throw new IOException($"Checkpoints.Folder '{folder}' {what.TrimEnd('.')}.", exception);
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

    // The file is deleted while the lock is held, and .NET opens it anew where it was deleted between opening and locking.
    private FileStream OpenFile() =>
        new(Path.Combine(_folder, FileName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 1, FileOptions.DeleteOnClose);

    // A lock that works keeps out its own process, too. The second handle deletes nothing: where there is no lock, the name is all that is shared.
    private bool IsHeld()
    {
        try
        {
            using FileStream second = new(_file.Name, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return false;
        }
        catch (IOException exception) when (IsLocked(exception))
        {
            return true;
        }
    }

    // ERROR_SHARING_VIOLATION on Windows; EWOULDBLOCK on Linux and on macOS, which .NET passes on as it is.
    private static bool IsLocked(Exception exception) =>
        exception is IOException && (OperatingSystem.IsWindows() ? (exception.HResult & 0xFFFF) == 32 : exception.HResult is 11 or 35);
}
