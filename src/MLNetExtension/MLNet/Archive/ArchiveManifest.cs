namespace MLNetExtension.MLNet.Archive;

/// <summary>The list of an archive's other entries; written last, read first.</summary>
/// <param name="FormatVersion">The version of the format.</param>
/// <param name="Entries">Every other entry.</param>
internal sealed record ArchiveManifest(int FormatVersion, IReadOnlyList<ArchiveManifest.Entry> Entries)
{
    /// <summary>The newest version that this library reads, and the one it writes.</summary>
    public const int CurrentVersion = 2;

    /// <summary>The manifest's own name in the archive.</summary>
    public const string Name = "manifest.json";

    /// <param name="Name">The entry's name, in the component's folder of the archive.</param>
    /// <param name="Length">Its length in bytes.</param>
    /// <param name="Sha256">The SHA-256 of its bytes, in hexadecimal.</param>
    internal sealed record Entry(string Name, long Length, string Sha256);
}
