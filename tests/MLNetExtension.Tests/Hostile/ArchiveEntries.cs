using System.IO.Compression;

namespace MLNetExtension.Tests.Hostile;

/// <summary>The entries of a model saved by ML.NET.</summary>
internal static class ArchiveEntries
{
    /// <summary>Reads the entry of a name, in whichever folder of the archive it is.</summary>
    public static byte[] Read(Stream archive, string name)
    {
        using ZipArchive zip = new(archive, ZipArchiveMode.Read, leaveOpen: true);
        using Stream stream = zip.Entries.Single(entry => entry.Name == name || entry.FullName.EndsWith('\\' + name)).Open();
        using MemoryStream bytes = new();
        stream.CopyTo(bytes);
        return bytes.ToArray();
    }
}
