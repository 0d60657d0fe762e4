using System.Text.Json;
using MLNetExtension.Files;

namespace MLNetExtension.Training.Resume;

/// <summary>A checkpoint on the disk: a folder with tensors, state, and a marker that lists both with length and hash.</summary>
/// <remarks>It is whole where the marker lists the two files, each has the length and the bytes that were written, and both say what a checkpoint can say. Whatever else is found is an
/// <see cref="InvalidDataException"/>, or an <see cref="IOException"/> where a file cannot be read.</remarks>
/// <param name="folder">The folder.</param>
/// <param name="step">Steps taken, by its name.</param>
internal sealed class StoredCheckpoint(string folder, int step)
{
    /// <summary>Names of its files.</summary>
    public const string StateFile = "state.json", TensorsFile = "tensors.safetensors", MarkerFile = "complete.json";

    private const int MaximumStateBytes = 1 << 24;

    /// <summary>The folder.</summary>
    public string Path => folder;

    /// <summary>Steps taken.</summary>
    public int Step => step;

    /// <summary>Checks that the checkpoint is whole.</summary>
    /// <returns>Its state.</returns>
    /// <exception cref="InvalidDataException">It is damaged; the message names the file and what is wrong.</exception>
    /// <exception cref="NotSupportedException">A later version of this library wrote it.</exception>
    public CheckpointMetadata Verify()
    {
        CheckpointMetadata state = ReadState();
        if (state.Steps != step)
            throw new InvalidDataException($"{PathOf(StateFile)}: 'Steps' is {state.Steps}, expected {step}.");
        Read(TensorsFile, (stream, length) => CheckpointTensors.Verify(stream, length, state));
        return state;
    }

    /// <summary>Reads the state, where its bytes are those that were written: settings that have been altered would be those of another training.</summary>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    /// <exception cref="NotSupportedException">A later version of this library wrote it.</exception>
    public CheckpointMetadata ReadState()
    {
        string path = PathOf(StateFile);
        Find(StateFile).Verify(path);
        return JsonFile.Read(RegularFile.ReadAllBytes(path, MaximumStateBytes), path, root => CheckpointMetadata.Parse(root, path));
    }

    /// <summary>Reads a file from beginning to end, and checks that its bytes are those that were written.</summary>
    /// <param name="name">The file's name.</param>
    /// <param name="read">Takes the stream and its length in bytes.</param>
    /// <exception cref="InvalidDataException">The file is missing, changed, or not what <paramref name="read"/> expects.</exception>
    public void Read(string name, Action<Stream, long> read)
    {
        string file = PathOf(name);
        CheckpointFile expected = Find(name);
        try
        {
            using FileStream stream = expected.OpenRead(file);
            using HashingStream hashing = new(stream);
            read(hashing, expected.Length);
            hashing.CopyTo(Stream.Null);
            expected.VerifyHash(file, hashing);
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException)
        {
            throw new InvalidDataException($"The checkpoint's file '{file}' cannot be read: {exception.Message}", exception);
        }
    }

    private CheckpointFile Find(string name) => ReadMarker().First(file => file.Name == name);

    private IReadOnlyList<CheckpointFile> ReadMarker()
    {
        string marker = PathOf(MarkerFile);
        IReadOnlyList<CheckpointFile> files = CheckpointFile.ReadMarker(marker);
        // Compared with the two names there are, so that no name leads out of the folder.
        string[] names = [.. files.Select(file => file.Name).Order(StringComparer.Ordinal)];
        return names is [StateFile, TensorsFile] ? files
            : throw new InvalidDataException($"{marker} lists {(names.Length == 0 ? "no file" : string.Join(", ", names.Take(3).Select(name => JsonSerializer.Serialize(name))))}, expected {StateFile} and {TensorsFile}.");
    }

    private string PathOf(string name) => System.IO.Path.Combine(folder, name);
}
