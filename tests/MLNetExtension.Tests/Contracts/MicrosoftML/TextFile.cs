namespace MLNetExtension.Tests.Contracts.MicrosoftML;

/// <summary>A text file of a test, gone when the test is.</summary>
internal sealed class TextFile : IDisposable
{
    public TextFile(string content)
    {
        Path = System.IO.Path.Combine(System.IO.Path.GetTempPath(), System.IO.Path.GetRandomFileName() + ".txt");
        File.WriteAllText(Path, content);
    }

    public string Path { get; }

    public void Dispose() => File.Delete(Path);
}
