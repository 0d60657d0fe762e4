using System.IO.Compression;
using System.Text.Json;
using MLNetExtension.Files;

namespace MLNetExtension.MLNet.Archive;

/// <summary>Reads the entries that <see cref="ArchiveWriter"/> wrote; an entry that is missing, truncated or changed is an error that names it.</summary>
internal sealed class ArchiveReader
{
    private readonly object _loadContext;
    private readonly ArchiveManifest _manifest;

    /// <summary>Reads the manifest.</summary>
    /// <param name="loadContext">The load context that ML.NET passes to the loader.</param>
    /// <exception cref="InvalidDataException">The archive has no manifest, or one that cannot be read.</exception>
    /// <exception cref="NotSupportedException">A later version of this library wrote the archive.</exception>
    public ArchiveReader(object loadContext)
    {
        _loadContext = loadContext;
        byte[] json = [];
        Open(ArchiveManifest.Name, JsonFile.MaximumBytes, (stream, length) => json = ReadAll(stream, length));
        _manifest = Parse<ArchiveManifest>(ArchiveManifest.Name, json);
        if (_manifest.FormatVersion > ArchiveManifest.CurrentVersion)
            throw new NotSupportedException($"This saved model has format {_manifest.FormatVersion}, which a later version of MLNetExtension wrote; "
                + $"this version reads formats up to {ArchiveManifest.CurrentVersion}. Update MLNetExtension to load it.");
        if (_manifest.FormatVersion < 1 || _manifest.Entries.Any(entry => entry is null || !PlainFileName.Is(entry.Name) || entry.Length < 0))
            throw Bad(ArchiveManifest.Name, "cannot be read: expected a format from 1 on, and entries with plain names and lengths from 0 on.");
    }

    /// <summary>The version of the layout that the archive has.</summary>
    public int FormatVersion => _manifest.FormatVersion;

    /// <summary>Hashes the entries that the manifest lists, except one of a name: see <see cref="ArchiveManifest.HashOf"/>.</summary>
    public string HashOfOthers(string name) => ArchiveManifest.HashOf(_manifest.Entries, name);

    /// <summary>Reads a JSON entry.</summary>
    /// <exception cref="InvalidDataException">The entry is missing, truncated, changed, or not valid.</exception>
    public T ReadJson<T>(string name) => Parse<T>(name, ReadBytes(name));

    /// <summary>Reads an entry of at most <see cref="JsonFile.MaximumBytes"/> whole.</summary>
    /// <exception cref="InvalidDataException">The entry is missing, truncated, changed, or too long.</exception>
    public byte[] ReadBytes(string name)
    {
        byte[] content = [];
        Read(name, (stream, length) => content = ReadAll(stream, length), JsonFile.MaximumBytes);
        return content;
    }

    /// <summary>Reads an entry from beginning to end, and checks that its bytes are those that were written.</summary>
    /// <param name="name">The entry's name.</param>
    /// <param name="read">Takes the stream and its length in bytes.</param>
    /// <param name="maximumBytes">The most bytes it may have, which is checked before it is unpacked. Default: any number.</param>
    /// <exception cref="InvalidDataException">The entry is missing, truncated, changed, too long, or not what <paramref name="read"/> expects.</exception>
    public void Read(string name, Action<Stream, long> read, long maximumBytes = long.MaxValue)
    {
        var expected = _manifest.Entries.FirstOrDefault(entry => entry.Name == name)
            ?? throw Bad(name, "is not listed in its manifest.");
        Open(name, maximumBytes, (inner, length) =>
        {
            using var stream = new HashingStream(inner);
            read(stream, length);
            stream.CopyTo(Stream.Null);
            if (stream.Hash != expected.Sha256)
                throw new InvalidDataException("its bytes have been changed since they were written.");
        }, expected.Length);
    }

    // An entry is read as it is unpacked, and lengths are those in the archive's directory, beyond which nothing is: so they are checked before.
    private void Open(string name, long maximumBytes, Action<Stream, long> read, long? expectedBytes = null)
    {
        ZipArchiveEntry entry = ModelArchiveBridge.FindEntry(_loadContext, name) ?? throw Bad(name, "is missing.");
        if (expectedBytes is not null && entry.Length != expectedBytes)
            throw Bad(name, $"cannot be read: it has {entry.Length} bytes, but {expectedBytes} were written.");
        if (entry.Length > maximumBytes)
            throw Bad(name, $"cannot be read: it has {entry.Length} bytes, expected at most {maximumBytes}.");
        try
        {
            using Stream stream = entry.Open();
            read(stream, entry.Length);
        }
        catch (Exception exception) when (exception is EndOfStreamException or JsonException or InvalidDataException)
        {
            // Without the inner exception: ML.NET wraps what a loader throws, and code that unwraps it should find the error that names the entry.
            throw Bad(name, $"cannot be read: {exception.Message}");
        }
    }

    private static byte[] ReadAll(Stream stream, long length)
    {
        byte[] content = new byte[length];
        stream.ReadExactly(content);
        return content;
    }

    private static T Parse<T>(string name, byte[] json)
    {
        try
        {
            JsonFile.Check(json, "it");
            return JsonSerializer.Deserialize<T>(json, ArchiveJson.Options) ?? throw new JsonException("it is null.");
        }
        catch (Exception exception) when (exception is JsonException or InvalidDataException or InvalidOperationException or NotSupportedException or ArgumentException)
        {
            throw Bad(name, $"cannot be read: {Excerpt.Of(exception.Message, 300)}");
        }
    }

    private static InvalidDataException Bad(string name, string what) => new($"The saved model's entry '{Excerpt.Of(name)}' {what}");
}
