using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace MLNetExtension.Tests.Hostile;

/// <summary>Alters an entry of a model that ML.NET saved, and packs the archive again.</summary>
internal static class ArchiveMutator
{
    private const string Manifest = "manifest.json";

    /// <summary>Alters one entry; every other time the manifest is made to agree with what the entry is now.</summary>
    public static Mutation Mutate(byte[] archive, Random random)
    {
        Dictionary<string, byte[]> entries = Read(archive);
        string[] names = [.. entries.Keys.Order(StringComparer.Ordinal)];
        string name = names[random.Next(names.Length)];
        if (random.Next(12) == 0)
        {
            entries.Remove(name);
            return new Mutation("entry removed", $"{name} removed", Write(entries));
        }

        FileFormat format = Path.GetExtension(name) switch { ".json" => FileFormat.Json, ".safetensors" => FileFormat.Safetensors, _ => FileFormat.Binary };
        Mutation mutation = entries[name].Length == 0 ? new Mutation("append", "append", [0]) : Mutator.Mutate(entries[name], random.Next(), format);
        entries[name] = mutation.Bytes;
        bool agrees = random.Next(2) == 0 && AgreeWith(entries, name);
        return new Mutation($"{(agrees ? "entry and manifest" : "entry")}: {mutation.Kind}", $"{name}{(agrees ? ", with the manifest" : "")}: {mutation.Description}", Write(entries));
    }

    /// <summary>Gives the entries of an archive, by their names in it.</summary>
    public static Dictionary<string, byte[]> Read(byte[] archive)
    {
        using ZipArchive zip = new(new MemoryStream(archive));
        Dictionary<string, byte[]> entries = [];
        foreach (ZipArchiveEntry entry in zip.Entries)
        {
            using Stream stream = entry.Open();
            using MemoryStream bytes = new();
            stream.CopyTo(bytes);
            entries.Add(entry.FullName, bytes.ToArray());
        }
        return entries;
    }

    /// <summary>Packs entries into an archive.</summary>
    public static byte[] Write(IEnumerable<KeyValuePair<string, byte[]>> entries)
    {
        using MemoryStream stream = new();
        using (ZipArchive zip = new(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach ((string name, byte[] bytes) in entries)
            {
                using Stream entry = zip.CreateEntry(name, CompressionLevel.Fastest).Open();
                entry.Write(bytes);
            }
        }
        return stream.ToArray();
    }

    /// <summary>Gives the manifest beside an entry the entry's length and hash. False where it does not list the entry.</summary>
    public static bool AgreeWith(Dictionary<string, byte[]> entries, string name)
    {
        string[] parts = name.Split('/', '\\');
        string path = name[..^parts[^1].Length] + Manifest;
        JsonNode? manifest = entries.TryGetValue(path, out byte[]? json) && path != name ? JsonNode.Parse(json) : null;
        if (manifest?["entries"]!.AsArray().FirstOrDefault(entry => (string?)entry!["name"] == parts[^1]) is not { } line)
            return false;
        line["length"] = entries[name].Length;
        line["sha256"] = Convert.ToHexStringLower(SHA256.HashData(entries[name]));
        entries[path] = System.Text.Encoding.UTF8.GetBytes(manifest.ToJsonString());
        return true;
    }
}
