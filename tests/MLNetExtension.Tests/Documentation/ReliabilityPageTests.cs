using System.Text.RegularExpressions;
using MLNetExtension.Tests.Repository;

namespace MLNetExtension.Tests.Documentation;

/// <summary>The page of promises names tests, and the table of attacks says how many blows each has.</summary>
[TestClass]
public sealed partial class ReliabilityPageTests
{
    private const string Page = "docs/reliability.md", Attacks = "tests/MLNetExtension.Tests/Hostile/README.md";

    [TestMethod]
    [DataRow(Page)]
    [DataRow(Attacks)]
    public void Every_test_that_is_named_exists(string page)
    {
        HashSet<string> tests = [.. typeof(ReliabilityPageTests).Assembly.GetTypes()
            .SelectMany(type => type.GetMethods(), (type, method) => (type, method))
            .Where(each => each.method.IsDefined(typeof(TestMethodAttribute), inherit: true))
            .Select(each => $"{each.type.Name}.{each.method.Name}")];

        string[] named = [.. TestName().Matches(Read(page)).Select(match => match.Groups[1].Value)];

        Assert.IsNotEmpty(named);
        Assert.AreEqual("", string.Join('\n', named.Where(name => !tests.Contains(name))));
    }

    [TestMethod]
    public void Every_attack_is_in_the_table()
    {
        string table = Read(Attacks);
        IEnumerable<string> attacks = typeof(ReliabilityPageTests).Assembly.GetTypes()
            .Where(type => type.GetCustomAttributes(typeof(TestCategoryAttribute), inherit: false).Cast<TestCategoryAttribute>().Any(category => category.TestCategories.Contains("Hostile")))
            .SelectMany(type => type.GetMethods().Where(method => method.IsDefined(typeof(TestMethodAttribute), inherit: true)), (type, method) => $"{type.Name}.{method.Name}");
        Assert.AreEqual("", string.Join('\n', attacks.Where(attack => !table.Contains($"`{attack}`", StringComparison.Ordinal))));
    }

    private static string Read(string page) => File.ReadAllText(Path.Combine(SourceTree.Root, page));

    [GeneratedRegex(@"`(\w+Tests\.\w+)`")]
    private static partial Regex TestName();
}
