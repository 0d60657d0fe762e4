using System.Text.RegularExpressions;
using MLNetExtension.Tests.Repository;

namespace MLNetExtension.Tests.Documentation;

/// <summary>The page about exporting names a test in each cell of its table; those with other programs are in a project of their own.</summary>
[TestClass]
public sealed partial class ExportPageTests
{
    [TestMethod]
    public void Every_test_that_is_named_exists()
    {
        string[] named = [.. TestName().Matches(MarkdownPage.Of("docs/export.md").Text).Select(match => match.Value.Trim('`')).Distinct()];
        Assert.IsNotEmpty(named);
        Assert.AreEqual("", string.Join('\n', named.Where(name => !IsTest(name.Split('.')[0], name.Split('.')[1]))));
        Assert.IsFalse(IsTest(nameof(ExportPageTests), "No_such_test"));
    }

    private static bool IsTest(string type, string method) => Directory
        .EnumerateFiles(Path.Combine(SourceTree.Root, "tests"), type + ".cs", SearchOption.AllDirectories)
        .Any(file => Regex.IsMatch(File.ReadAllText(file), $@"\[TestMethod\](?:\s*\[[^\n]*\])*\s*public (?:async Task|void) {method}\("));

    [GeneratedRegex(@"`\w+Tests\.\w+`")]
    private static partial Regex TestName();
}
