namespace MLNetExtension.Files;

/// <summary>Files that appear together: each is written and flushed to the disk in a temporary folder, and all of them are moved into place at the end.</summary>
/// <remarks>A reader takes the files for complete only where one of them, the marker, is there. A crash at any moment leaves the earlier files or no marker, never a mixture that has one.</remarks>
internal sealed class StagedFiles : IDisposable
{
    private readonly string _temporary;
    private readonly List<string> _names = [];

    /// <summary>Starts with an empty temporary folder.</summary>
    /// <param name="temporary">Path of the temporary folder, on the disk where the files are to be; one that an earlier run left there is deleted.</param>
    public StagedFiles(string temporary)
    {
        _temporary = temporary;
        DeleteFolder(temporary);
        Directory.CreateDirectory(temporary);
    }

    /// <summary>Starts with a temporary folder inside a folder, which is created if it is missing.</summary>
    public static StagedFiles CreateIn(string folder) => new(Path.Combine(folder, ".saving-" + Path.GetRandomFileName()));

    /// <summary>Writes a file and flushes it to the disk.</summary>
    /// <param name="name">Its name, without a folder.</param>
    /// <param name="write">Writes its content.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Write(string name, Action<Stream> write)
    {
        string path = Path.Combine(_temporary, name);
        try
        {
            using FileStream stream = new(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1 << 16);
            write(stream);
            stream.Flush(flushToDisk: true);
        }
        // What .NET throws where a file grows beyond what its file system or the user's quota allows (EFBIG).
        catch (ArgumentOutOfRangeException exception) when (exception is { ParamName: "value", Source: "System.Private.CoreLib" })
        {
            throw new IOException($"The file '{path}' grew too large for its file system.", exception);
        }
        _names.Add(name);
    }

    /// <summary>Renames the temporary folder to <paramref name="folder"/>. One that is there is exchanged for it in one step where the file system can do that; else it is renamed first and
    /// deleted last, so that at any moment one of the two exists whole.</summary>
    public void MoveTo(string folder)
    {
        if (!Directory.Exists(folder))
        {
            Directory.Move(_temporary, folder);
            return;
        }
        if (FolderExchange.TryExchange(_temporary, folder))
        {
            DeleteFolder(_temporary);
            return;
        }
        string replaced = _temporary + ".replaced";
        DeleteFolder(replaced);
        Directory.Move(folder, replaced);
        try
        {
            Directory.Move(_temporary, folder);
        }
        catch
        {
            Directory.Move(replaced, folder);
            throw;
        }
        DeleteFolder(replaced);
    }

    /// <summary>Moves the files into a folder. Where the marker is the only file, it takes the place of the earlier one in one step; else the earlier marker is deleted first, and the new one comes last.</summary>
    /// <param name="folder">A folder that may hold other files, which stay.</param>
    /// <param name="marker">Name of the marker, one of the files that were written.</param>
    /// <param name="isStale">Whether an earlier file of this name is to be deleted.</param>
    public void MoveInto(string folder, string marker, Func<string, bool> isStale)
    {
        if (_names.Count > 1)
            File.Delete(Path.Combine(folder, marker));
        foreach (string path in Directory.GetFiles(folder))
        {
            if (isStale(Path.GetFileName(path)))
                File.Delete(path);
        }
        foreach (string name in _names.OrderBy(name => name == marker))
            File.Move(Path.Combine(_temporary, name), Path.Combine(folder, name), overwrite: true);
    }

    /// <summary>Deletes what is left of the temporary folder.</summary>
    public void Dispose() => DeleteFolder(_temporary);

    /// <summary>Deletes a folder and what it holds; does nothing if it is missing.</summary>
    public static void DeleteFolder(string path)
    {
        if (Directory.Exists(path))
            Directory.Delete(path, recursive: true);
    }
}
