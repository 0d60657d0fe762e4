using System.Reflection;
using System.Text.RegularExpressions;

namespace MLNetExtension.Tests.Repository;

/// <summary>A source file of this repository: its path from the root, with slashes, and its text.</summary>
internal sealed record SourceFile(string Path, string Text);

/// <summary>The source tree that these tests were built from.</summary>
internal static partial class SourceTree
{
    /// <summary>Named by the build, so that it is found wherever the tests were built to.</summary>
    public static string Root { get; } = BuildProperty("RepositoryRoot");

    /// <summary>Where the build found the package TorchSharp.</summary>
    public static string TorchSharpPackage { get; } = BuildProperty("TorchSharpPackage");

    /// <summary>Reads the files below a folder whose names end in one of the extensions; the outputs of a build are left out.</summary>
    public static IReadOnlyList<SourceFile> Files(string folder, params string[] extensions) =>
    [
        .. Directory.EnumerateFiles(Path.Combine(Root, folder), "*", SearchOption.AllDirectories)
            .Where(path => extensions.Contains(Path.GetExtension(path)))
            .Select(path => new SourceFile(Path.GetRelativePath(Root, path).Replace('\\', '/'), File.ReadAllText(path)))
            .Where(file => !file.Path.Split('/').Any(part => part is "bin" or "obj"))
            .OrderBy(file => file.Path, StringComparer.Ordinal),
    ];

    private static string BuildProperty(string name) =>
        typeof(SourceTree).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(metadata => metadata.Key == name).Value!;

    /// <summary>The text without comments, and with string literals emptied: what is left is code.</summary>
    public static string Code(string text) => CommentOrLiteral().Replace(text, match => match.Value[0] == '/' ? " " : "\"\"");

    [GeneratedRegex("""
        ""\"[\s\S]*?""\"|@"(?:[^"]|"")*"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'|//[^\n]*|/\*[\s\S]*?\*/
        """)]
    private static partial Regex CommentOrLiteral();
}
