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
        ArchiveManifest? manifest = null;
        Open(ArchiveManifest.Name, stream => manifest = Parse<ArchiveManifest>(stream));
        _manifest = manifest!;
        if (_manifest.FormatVersion > ArchiveManifest.CurrentVersion)
            throw new NotSupportedException($"This model was saved in format {_manifest.FormatVersion} by a later version of MLNetExtension; "
                + $"this version reads formats up to {ArchiveManifest.CurrentVersion}. Update MLNetExtension to load it.");
    }

    /// <summary>The version of the layout that the archive has.</summary>
    public int FormatVersion => _manifest.FormatVersion;

    /// <summary>Reads a JSON entry.</summary>
    public T ReadJson<T>(string name)
    {
        T? value = default;
        Read(name, (stream, _) => value = Parse<T>(stream));
        return value!;
    }

    /// <summary>Reads an entry from beginning to end, and checks that its bytes are those that were written.</summary>
    /// <param name="name">The entry's name.</param>
    /// <param name="read">Takes the stream and its length in bytes.</param>
    /// <exception cref="InvalidDataException">The entry is missing, truncated, changed, or not what <paramref name="read"/> expects.</exception>
    public void Read(string name, Action<Stream, long> read)
    {
        var expected = _manifest.Entries.FirstOrDefault(entry => entry.Name == name)
            ?? throw Bad(name, "is not listed in its manifest.");
        Open(name, inner =>
        {
            if (inner.CanSeek && inner.Length != expected.Length)
                throw new InvalidDataException($"it has {inner.Length} bytes, but {expected.Length} were written.");
            using var stream = new HashingStream(inner);
            read(stream, expected.Length);
            stream.CopyTo(Stream.Null);
            if (stream.Hash != expected.Sha256)
                throw new InvalidDataException("its bytes have been changed since they were written.");
        });
    }

    private void Open(string name, Action<Stream> read)
    {
        bool found;
        try
        {
            found = ModelArchiveBridge.TryReadEntry(_loadContext, name, reader => read(reader.BaseStream));
        }
        catch (Exception exception) when (exception is EndOfStreamException or JsonException or InvalidDataException)
        {
            // Without the inner exception: ML.NET wraps what a loader throws, and code that unwraps it should find the error that names the entry.
            throw Bad(name, $"cannot be read: {exception.Message}");
        }
        if (!found)
            throw Bad(name, "is missing.");
    }

    private static T Parse<T>(Stream stream) => JsonSerializer.Deserialize<T>(stream, ArchiveJson.Options) ?? throw new JsonException("it is null.");

    private static InvalidDataException Bad(string name, string what) => new($"The saved model's entry '{name}' {what}");
}
