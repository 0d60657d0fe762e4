using System.Security.Cryptography;
using System.Text;

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

    /// <summary>Hashes what a manifest lists, except one entry: that entry can hold the hash, which binds it to the others.</summary>
    /// <param name="entries">The entries, in any order.</param>
    /// <param name="except">The name of the one that is left out.</param>
    /// <returns>SHA-256, in hexadecimal.</returns>
    public static string HashOf(IEnumerable<Entry> entries, string except)
    {
        IEnumerable<string> lines = entries
            .Where(entry => entry.Name != except)
            .OrderBy(entry => entry.Name, StringComparer.Ordinal)
            .Select(entry => $"{entry.Name}\n{entry.Sha256}\n");
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Concat(lines))));
    }

    /// <param name="Name">The entry's name, in the component's folder of the archive.</param>
    /// <param name="Length">Its length in bytes.</param>
    /// <param name="Sha256">The SHA-256 of its bytes, in hexadecimal.</param>
    internal sealed record Entry(string Name, long Length, string Sha256);
}
