using System.Text.Json;
using Microsoft.ML;
using MLNetExtension.Files;

namespace MLNetExtension.MLNet.Archive;

/// <summary>Writes entries into ML.NET's model archive and, last of all, the manifest that describes them.</summary>
internal sealed class ArchiveWriter(ModelSaveContext context)
{
    private readonly List<ArchiveManifest.Entry> _written = [];

    public void WriteJson<T>(string name, T value) => Write(name, stream => JsonSerializer.Serialize(stream, value, ArchiveJson.Options));

    public void Write(string name, Action<Stream> write) => ModelArchiveBridge.WriteEntry(context, name, writer =>
    {
        writer.Flush();
        using var stream = new HashingStream(writer.BaseStream);
        write(stream);
        _written.Add(new ArchiveManifest.Entry(name, stream.Count, stream.Hash));
    });

    /// <summary>Seals the archive: an interrupted save leaves no manifest, and is refused when read.</summary>
    public void Complete() => ModelArchiveBridge.WriteEntry(context, ArchiveManifest.Name, writer =>
        JsonSerializer.Serialize(writer.BaseStream, new ArchiveManifest(ArchiveManifest.CurrentVersion, _written), ArchiveJson.Options));
}
