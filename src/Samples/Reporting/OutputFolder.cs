namespace Samples.Reporting;

/// <summary>A folder whose files appear together: they are written beside it and moved there by <see cref="Commit"/>; without it nothing stays.</summary>
internal sealed class OutputFolder : IDisposable
{
    private readonly string _target;
    private readonly Func<string, bool> _isOurs;
    private readonly string[] _missingParents;

    /// <summary>Begins to write what is to stand in <paramref name="target"/>.</summary>
    /// <param name="target">The folder; what an earlier run left there is replaced at the end.</param>
    /// <param name="isOurs">Which file names an earlier run may have left; a folder with anything else is refused, not replaced.</param>
    /// <exception cref="UserErrorException">The folder cannot be written or holds other files.</exception>
    public OutputFolder(string target, Func<string, bool> isOurs)
    {
        _isOurs = isOurs;
        _target = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(target));
        Path = $"{_target}.partial-{Environment.ProcessId}";
        if (File.Exists(_target))
            throw new UserErrorException($"{target} is a file; --output names a folder.");
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

    /// <summary>Where to write until <see cref="Commit"/>.</summary>
    public string Path { get; }

    public string this[string fileName] => System.IO.Path.Combine(Path, fileName);

    /// <summary>Puts the written files in the place of the earlier ones.</summary>
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
        string? foreign = Directory.EnumerateFileSystemEntries(_target).Select(entry => System.IO.Path.GetFileName(entry)).FirstOrDefault(name => !_isOurs(name));
        if (foreign is not null)
            throw new UserErrorException($"{_target} holds '{foreign}', which no earlier run wrote; name another folder with --output.");
    }
}
