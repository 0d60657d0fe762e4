using System.IO.Compression;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

/// <summary>The zip archive that models are saved in. Models nest, a zip archive writes one entry after another: so each waits in a file of its own.</summary>
internal sealed class RepositoryWriter : IDisposable
{
    private readonly ZipArchive _archive;
    private readonly Dictionary<string, Stream> _entries = [];

    public RepositoryWriter(Stream stream)
    {
        _archive = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true);
        using StreamWriter version = new(CreateEntry("TrainingInfo", "Version.txt"), leaveOpen: true);
        version.WriteLine(typeof(RepositoryWriter).Assembly.GetName().Version);
    }

    public Stream CreateEntry(string directory, string name)
    {
        string path = RepositoryReader.PathOf(directory, name);
        if (_entries.ContainsKey(path))
            throw Contracts.ExceptParam(nameof(name), $"Duplicate entry: '{path}'");
        return _entries[path] = TemporaryFile();
    }

    public void Commit()
    {
        foreach ((string path, Stream content) in _entries)
        {
            using Stream entry = _archive.CreateEntry(path).Open();
            content.Position = 0;
            content.CopyTo(entry);
        }
    }

    public void Dispose()
    {
        _archive.Dispose();
        foreach (Stream content in _entries.Values)
            content.Dispose();
    }

    public static FileStream TemporaryFile() => new(Path.Combine(Path.GetTempPath(), $"ml_dotnet_{Guid.NewGuid():n}"), FileMode.CreateNew,
        FileAccess.ReadWrite, FileShare.None, 1 << 16, FileOptions.DeleteOnClose);
}

internal sealed class RepositoryReader : IDisposable
{
    private readonly ZipArchive _archive;

    public RepositoryReader(Stream stream, IExceptionContext ectx)
    {
        try
        {
            _archive = new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
        }
        catch (Exception e)
        {
            throw ectx.ExceptDecode("Failed to open a zip archive", e);
        }
    }

    public static string PathOf(string directory, string name)
    {
        Contracts.CheckParam(!string.IsNullOrWhiteSpace(name) && !name.Contains(".."), nameof(name));
        return string.IsNullOrEmpty(directory) ? name : Path.Combine(directory, name);
    }

    public Stream OpenEntryOrNull(string directory, string name)
    {
        string path = PathOf(directory, name).Replace('\\', '/');
        ZipArchiveEntry entry = _archive.Entries.FirstOrDefault(e => e.FullName.Replace('\\', '/') == path);
        if (entry == null)
            return null;
        // Model streams are read back and forth, which an entry's own stream does not allow.
        FileStream content = RepositoryWriter.TemporaryFile();
        using Stream source = entry.Open();
        source.CopyTo(content);
        content.Position = 0;
        return content;
    }

    public void Dispose() => _archive.Dispose();
}
