namespace MLNetExtension.Tests.Samples;

/// <summary>An empty folder that is deleted at the end of the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public TemporaryFolder() => Path = Directory.CreateTempSubdirectory("samples-test-").FullName;

    public string Path { get; }

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public string[] Names => [.. Directory.EnumerateFileSystemEntries(Path).Select(entry => System.IO.Path.GetFileName(entry)).Order(StringComparer.Ordinal)];

    public string Write(string name, string text)
    {
        File.WriteAllText(this[name], text);
        return this[name];
    }

    public string Write(string name, byte[] bytes)
    {
        File.WriteAllBytes(this[name], bytes);
        return this[name];
    }

    /// <summary>Forty prompts with completions, of several lengths.</summary>
    public string WritePrompts(string name) => Write(name, string.Concat(Enumerable.Range(0, 40).Select(i =>
        $$"""{"prompt":"Number {{i}}","completion":"{{string.Join(' ', Enumerable.Repeat("and on", 1 + i % 4))}}"}""" + "\n")));

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
