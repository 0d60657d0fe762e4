using MLNetExtension.Files;
using Samples.Errors;

namespace Samples.Reporting;

/// <summary>A folder whose files appear all at once: they are written to a temporary folder beside it, and <see cref="Commit"/> puts them in place.</summary>
/// <remarks>What was not committed is gone at the end, however the process ends: the next run removes what a killed one left.</remarks>
internal sealed class OutputFolder : IDisposable
{
    private const string Partial = ".partial-", LockExtension = ".lock";
    private readonly string _target;
    private readonly Func<string, bool> _isOurs;
    private readonly LockFile _lock;
    private readonly StagedFiles _staged;
    private bool _committed;

    /// <summary>Creates the temporary folder. The target may hold nothing but files that an earlier run may have written, which the first <see cref="Commit"/> replaces.</summary>
    /// <exception cref="UserErrorException">The folder cannot be written, or contains other files.</exception>
    public OutputFolder(string target, Func<string, bool> isOurs)
    {
        _isOurs = isOurs;
        _target = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(target));
        if (File.Exists(_target))
            throw new UserErrorException($"{target} is a file; --output must be a folder.");
        RefuseForeignFiles();
        // In the nearest folder that exists: a job that fails leaves no new folders behind.
        string parent = ParentOf(_target), name = System.IO.Path.GetFileName(_target) + Partial;
        while (!System.IO.Path.Exists(parent))
            parent = ParentOf(parent);
        Path = System.IO.Path.Combine(parent, $"{name}{Environment.ProcessId}");
        try
        {
            RemoveAbandoned(parent, name);
            _lock = LockFile.TryTake(Path + LockExtension, deleteOnDispose: true) ?? throw new UserErrorException($"--output {target} is being written by this process already.");
            _staged = new StagedFiles(Path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _lock?.Dispose();
            throw new UserErrorException($"--output {target} cannot be written: {e.Message}");
        }
        AppDomain.CurrentDomain.ProcessExit += OnExit;
    }

    /// <summary>The temporary folder to write to.</summary>
    public string Path { get; }

    /// <summary>A path in the temporary folder.</summary>
    public string this[string fileName] => System.IO.Path.Combine(Path, fileName);

    /// <summary>Puts what was written in place: the first time instead of the files of an earlier run, then beside what was put there before.</summary>
    public void Commit()
    {
        if (_committed)
        {
            foreach (string entry in Directory.GetFileSystemEntries(Path))
                Directory.Move(entry, System.IO.Path.Combine(_target, System.IO.Path.GetFileName(entry)));
            return;
        }
        RefuseForeignFiles();
        Directory.CreateDirectory(ParentOf(_target));
        _staged.MoveTo(_target);
        _committed = true;
        Directory.CreateDirectory(Path);
    }

    public void Dispose()
    {
        AppDomain.CurrentDomain.ProcessExit -= OnExit;
        _staged.Dispose();
        _lock.Dispose();
    }

    private static string ParentOf(string path) => System.IO.Path.GetDirectoryName(path) ?? path;

    // A process that is killed keeps neither its temporary folder's lock nor the chance to remove the folder.
    private static void RemoveAbandoned(string parent, string name)
    {
        foreach (string path in Directory.GetFiles(parent, $"{name}*{LockExtension}"))
        {
            using LockFile? abandoned = LockFile.TryTake(path, deleteOnDispose: true);
            if (abandoned is not null)
                StagedFiles.DeleteFolder(path[..^LockExtension.Length]);
        }
    }

    private void OnExit(object? sender, EventArgs e) => Dispose();

    private void RefuseForeignFiles()
    {
        IEnumerable<string> entries = Directory.Exists(_target) ? Directory.EnumerateFileSystemEntries(_target) : [];
        if (entries.Select(entry => System.IO.Path.GetFileName(entry)).FirstOrDefault(name => !_isOurs(name)) is { } foreign)
            throw new UserErrorException($"{_target} contains '{foreign}', which no earlier run wrote; choose another folder with --output.");
    }
}
