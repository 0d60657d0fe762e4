namespace MLNetExtension.Formats;

/// <summary>
/// Writes the files of a checkpoint so that a crash at any moment leaves the old one, or none, but never a mixture: all files are written whole, and flushed to the disk, in a
/// temporary folder inside the folder; then the old marker, without which nothing is taken for a checkpoint, goes, then the new files come, and the new marker last.
/// </summary>
internal sealed class AtomicFolder : IDisposable
{
    private readonly string _folder, _temporary, _last;
    private readonly Func<string, bool> _stale;
    private readonly List<string> _written = [];

    /// <summary>Begins.</summary>
    /// <param name="folder">The folder; made if it is not there.</param>
    /// <param name="last">Name of the marker, one of the files to be written.</param>
    /// <param name="stale">Whether a file of an older checkpoint, by its name, is to go unless it is written anew.</param>
    public AtomicFolder(string folder, string last, Func<string, bool> stale)
    {
        (_folder, _last, _stale) = (folder, last, stale);
        _temporary = Path.Combine(folder, ".saving-" + Path.GetRandomFileName());
        Directory.CreateDirectory(_temporary);
    }

    /// <summary>Writes a file.</summary>
    /// <param name="name">Its name, without a folder.</param>
    /// <param name="write">Writes its content.</param>
    public void Write(string name, Action<Stream> write)
    {
        using FileStream stream = new(Path.Combine(_temporary, name), FileMode.CreateNew);
        write(stream);
        stream.Flush(flushToDisk: true);
        _written.Add(name);
    }

    /// <summary>Puts the files in place.</summary>
    public void Complete()
    {
        File.Delete(Path.Combine(_folder, _last));
        foreach (string path in Directory.EnumerateFiles(_folder).Where(path => _stale(Path.GetFileName(path))).ToList())
            File.Delete(path);
        foreach (string name in _written.OrderBy(name => name == _last))
            File.Move(Path.Combine(_temporary, name), Path.Combine(_folder, name), overwrite: true);
    }

    /// <summary>Removes what is left of the temporary folder.</summary>
    public void Dispose() => Directory.Delete(_temporary, recursive: true);
}
