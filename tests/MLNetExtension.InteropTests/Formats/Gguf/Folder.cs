namespace MLNetExtension.InteropTests.Formats.Gguf;

/// <summary>An empty folder that is deleted at the end of the test.</summary>
internal sealed class Folder : IDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("gguf-test-").FullName;

    public string this[string name] => Path.Combine(_path, name);

    public void Dispose() => Directory.Delete(_path, recursive: true);
}
