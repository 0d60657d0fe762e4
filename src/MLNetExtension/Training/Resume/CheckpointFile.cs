using System.Text.Json;
using MLNetExtension.Files;

namespace MLNetExtension.Training.Resume;

/// <summary>A file of a checkpoint, as the checkpoint's marker lists it.</summary>
/// <param name="Name">Its name, without a folder.</param>
/// <param name="Length">Its length in bytes.</param>
/// <param name="Sha256">SHA-256 of its bytes, in hexadecimal.</param>
internal sealed record CheckpointFile(string Name, long Length, string Sha256)
{
    // Names and hashes of two files: a marker that is longer was not written here.
    private const int MaximumMarkerBytes = 1 << 16;

    /// <summary>Reads the files that a marker lists.</summary>
    /// <param name="path">The marker.</param>
    /// <exception cref="InvalidDataException">It is not a list of files as it was written.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static IReadOnlyList<CheckpointFile> ReadMarker(string path) =>
        JsonFile.Read(RegularFile.ReadAllBytes(path, MaximumMarkerBytes), path, root => ParseMarker(root, path));

    /// <summary>Writes a file through a hash.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="stream">Receives its bytes.</param>
    /// <param name="write">Writes its content.</param>
    public static CheckpointFile Write(string name, Stream stream, Action<Stream> write)
    {
        using HashingStream hashing = new(stream);
        write(hashing);
        return new CheckpointFile(name, hashing.Count, hashing.Hash);
    }

    /// <summary>Opens a file of this name and checks its length.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InvalidDataException">It has another length.</exception>
    /// <exception cref="FileNotFoundException">It is missing.</exception>
    public FileStream OpenRead(string path)
    {
        FileStream stream = RegularFile.OpenRead(path);
        if (stream.Length == Length)
            return stream;
        long found = stream.Length;
        stream.Dispose();
        throw new InvalidDataException(FormattableString.Invariant($"{path} is {found:N0} bytes long, and was written with {Length:N0}."));
    }

    /// <summary>Checks that a file of this name has the bytes that were written.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InvalidDataException">It has other bytes.</exception>
    /// <exception cref="FileNotFoundException">It is missing.</exception>
    public void Verify(string path)
    {
        using FileStream stream = OpenRead(path);
        using HashingStream hashing = new(stream);
        hashing.CopyTo(Stream.Null);
        VerifyHash(path, hashing);
    }

    /// <summary>Checks the hash of a file that has been read to its end.</summary>
    public void VerifyHash(string path, HashingStream hashing)
    {
        if (hashing.Hash != Sha256)
            throw new InvalidDataException($"{path}: its bytes have been changed since they were written.");
    }

    private static List<CheckpointFile> ParseMarker(JsonElement root, string path)
    {
        if (root.ValueKind != JsonValueKind.Array)
            throw new InvalidDataException($"{path} is not a JSON array.");
        List<CheckpointFile> files = [];
        foreach (JsonElement element in root.EnumerateArray())
        {
            JsonObjectReader reader = new(element, $"{path}, element {files.Count}");
            files.Add(new CheckpointFile(reader.GetString(nameof(Name)), reader.GetCount(nameof(Length), long.MaxValue), reader.GetString(nameof(Sha256))));
        }
        return files;
    }
}
