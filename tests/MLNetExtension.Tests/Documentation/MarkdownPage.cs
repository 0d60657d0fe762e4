using System.Text.RegularExpressions;
using MLNetExtension.Tests.Repository;

namespace MLNetExtension.Tests.Documentation;

/// <summary>A page of the documentation.</summary>
internal sealed partial class MarkdownPage
{
    private MarkdownPage(string path) => (Path, Text) = (path, File.ReadAllText(System.IO.Path.Combine(SourceTree.Root, path)));

    /// <summary>From the root of the repository, with slashes.</summary>
    public string Path { get; }

    public string Text { get; }

    /// <summary>The complete programs, in their order: fenced blocks of C# that begin with a using directive. Anything else is an excerpt.</summary>
    public IReadOnlyList<string> Programs => [.. Complete.Where(code => !Foreign().IsMatch(code))];

    /// <summary>Complete programs that use another program's package, in their order: the project of tests with other programs runs them.</summary>
    public IReadOnlyList<string> InteropPrograms => [.. Complete.Where(code => Foreign().IsMatch(code))];

    private IEnumerable<string> Complete => Fence().Matches(Text).Select(match => match.Groups[1].Value).Where(code => Directive().IsMatch(code));

    /// <summary>What links lead to, without those to other sites.</summary>
    public IEnumerable<string> Links => Link().Matches(Text).Select(match => match.Groups[1].Value).Where(link => !link.Contains("://", StringComparison.Ordinal));

    /// <summary>README.md and every page of docs/.</summary>
    public static IReadOnlyList<MarkdownPage> All { get; } =
    [
        new("README.md"),
        .. Directory.EnumerateFiles(System.IO.Path.Combine(SourceTree.Root, "docs"), "*.md").Order(StringComparer.Ordinal).Select(file => new MarkdownPage("docs/" + System.IO.Path.GetFileName(file))),
    ];

    public static MarkdownPage Of(string path) => All.Single(page => page.Path == path);

    [GeneratedRegex(@"^```csharp\r?\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"^using [\w.]+;")]
    private static partial Regex Directive();

    [GeneratedRegex(@"^using Microsoft\.ML\.OnnxRuntime", RegexOptions.Multiline)]
    private static partial Regex Foreign();

    [GeneratedRegex(@"\]\(([^)]+)\)")]
    private static partial Regex Link();
}
