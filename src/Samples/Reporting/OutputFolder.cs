using MLNetExtension.Files;
using Samples.Errors;

namespace Samples.Reporting;

/// <summary>A folder whose files appear all at once: they are written to a temporary folder, which <see cref="Commit"/> puts in place; without it nothing is left.</summary>
internal sealed class OutputFolder : IDisposable
{
    private readonly string _target;
    private readonly Func<string, bool> _isOurs;
    private readonly StagedFiles _staged;

    /// <summary>Creates the temporary folder. The target may hold nothing but files that an earlier run may have written, which <see cref="Commit"/> replaces.</summary>
    /// <exception cref="UserErrorException">The folder cannot be written, or contains other files.</exception>
    public OutputFolder(string target, Func<string, bool> isOurs)
    {
        _isOurs = isOurs;
        _target = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(target));
        if (File.Exists(_target))
            throw new UserErrorException($"{target} is a file; --output must be a folder.");
        RefuseForeignFiles();
        // In the nearest folder that exists: a job that fails leaves no new folders behind.
        string parent = ParentOf(_target);
        while (!System.IO.Path.Exists(parent))
            parent = ParentOf(parent);
        Path = System.IO.Path.Combine(parent, $"{System.IO.Path.GetFileName(_target)}.partial-{Environment.ProcessId}");
        try
        {
            _staged = new StagedFiles(Path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"--output {target} cannot be written: {e.Message}");
        }
        AppDomain.CurrentDomain.ProcessExit += OnExit;
    }

    /// <summary>The temporary folder to write to.</summary>
    public string Path { get; }

    /// <summary>A path in the temporary folder.</summary>
    public string this[string fileName] => System.IO.Path.Combine(Path, fileName);

    /// <summary>Replaces the files of an earlier run with the new ones.</summary>
    public void Commit()
    {
        RefuseForeignFiles();
        Directory.CreateDirectory(ParentOf(_target));
        _staged.MoveTo(_target);
    }

    public void Dispose()
    {
        AppDomain.CurrentDomain.ProcessExit -= OnExit;
        _staged.Dispose();
    }

    private static string ParentOf(string path) => System.IO.Path.GetDirectoryName(path) ?? path;

    private void OnExit(object? sender, EventArgs e) => Dispose();

    private void RefuseForeignFiles()
    {
        IEnumerable<string> entries = Directory.Exists(_target) ? Directory.EnumerateFileSystemEntries(_target) : [];
        if (entries.Select(entry => System.IO.Path.GetFileName(entry)).FirstOrDefault(name => !_isOurs(name)) is { } foreign)
            throw new UserErrorException($"{_target} contains '{foreign}', which no earlier run wrote; choose another folder with --output.");
    }
}
