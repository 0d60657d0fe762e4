using System.IO.Compression;
using System.Text.Json;
using Microsoft.ML;
using MLNetExtension.Files;

namespace MLNetExtension.MLNet.Archive;

/// <summary>Writes entries into ML.NET's model archive and, last of all, the manifest that describes them.</summary>
internal sealed class ArchiveWriter(ModelSaveContext context)
{
    private readonly List<ArchiveManifest.Entry> _written = [];

    /// <summary>Writes a JSON entry.</summary>
    public void WriteJson<T>(string name, T value) => Write(name, stream => JsonSerializer.Serialize(stream, value, ArchiveJson.Options));

    /// <summary>Writes an entry.</summary>
    /// <param name="name">The entry's name.</param>
    /// <param name="write">Writes its content.</param>
    /// <param name="compression">How it is packed. Default: small.</param>
    public void Write(string name, Action<Stream> write, CompressionLevel compression = CompressionLevel.Optimal) => ModelArchiveBridge.WriteEntry(context, name, compression, inner =>
    {
        using var stream = new HashingStream(inner);
        write(stream);
        _written.Add(new ArchiveManifest.Entry(name, stream.Count, stream.Hash));
    });

    /// <summary>Hashes the entries that have been written, except one of a name: see <see cref="ArchiveManifest.HashOf"/>.</summary>
    public string HashOfOthers(string name) => ArchiveManifest.HashOf(_written, name);

    /// <summary>Writes the manifest: an archive without one, which an interrupted save leaves, is refused when it is read.</summary>
    public void Complete() => ModelArchiveBridge.WriteEntry(context, ArchiveManifest.Name, CompressionLevel.Optimal, stream =>
        JsonSerializer.Serialize(stream, new ArchiveManifest(ArchiveManifest.CurrentVersion, _written), ArchiveJson.Options));
}
