using Samples.Errors;

namespace Samples.Reporting;

/// <summary>A folder whose files appear all at once: they are written to a temporary folder, which <see cref="Commit"/> puts in place; without it nothing is left.</summary>
internal sealed class OutputFolder : IDisposable
{
    private readonly string _target;
    private readonly Func<string, bool> _isOurs;
    private readonly string[] _missingParents;

    /// <summary>Creates the temporary folder.</summary>
    /// <param name="target">The folder to write; the files of an earlier run are replaced by <see cref="Commit"/>.</param>
    /// <param name="isOurs">Whether an earlier run may have written a file of this name; a folder with any other file is not replaced.</param>
    /// <exception cref="UserErrorException">The folder cannot be written, or contains other files.</exception>
    public OutputFolder(string target, Func<string, bool> isOurs)
    {
        _isOurs = isOurs;
        _target = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(target));
        Path = $"{_target}.partial-{Environment.ProcessId}";
        if (File.Exists(_target))
            throw new UserErrorException($"{target} is a file; --output must be a folder.");
        RefuseForeignFiles();
        _missingParents = [.. Parents(_target).TakeWhile(parent => !Directory.Exists(parent))];
        try
        {
            Directory.CreateDirectory(Path);
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
        string? earlier = null;
        if (Directory.Exists(_target))
        {
            earlier = $"{_target}.earlier-{Environment.ProcessId}";
            Directory.Move(_target, earlier);
        }
        try
        {
            Directory.Move(Path, _target);
        }
        catch when (earlier is not null)
        {
            Directory.Move(earlier, _target);
            throw;
        }
        if (earlier is not null)
            Directory.Delete(earlier, recursive: true);
    }

    public void Dispose()
    {
        AppDomain.CurrentDomain.ProcessExit -= OnExit;
        if (Directory.Exists(Path))
            Directory.Delete(Path, recursive: true);
        foreach (string parent in _missingParents.TakeWhile(parent => Directory.Exists(parent) && !Directory.EnumerateFileSystemEntries(parent).Any()))
            Directory.Delete(parent);
    }

    private static IEnumerable<string> Parents(string path)
    {
        for (string? parent = System.IO.Path.GetDirectoryName(path); parent is not null; parent = System.IO.Path.GetDirectoryName(parent))
            yield return parent;
    }

    private void OnExit(object? sender, EventArgs e) => Dispose();

    private void RefuseForeignFiles()
    {
        if (!Directory.Exists(_target))
            return;
        IEnumerable<string> names = Directory.EnumerateFileSystemEntries(_target).Select(entry => System.IO.Path.GetFileName(entry));
        string? foreign = names.FirstOrDefault(name => !_isOurs(name));
        if (foreign is not null)
            throw new UserErrorException($"{_target} contains '{foreign}', which no earlier run wrote; choose another folder with --output.");
    }
}
