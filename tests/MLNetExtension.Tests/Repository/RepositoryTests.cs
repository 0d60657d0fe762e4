using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace MLNetExtension.Tests.Repository;

[TestClass]
public sealed class RepositoryTests
{
    // Lines of standins/ per line of src/ and tests/. It is to come down to a half as the library grows; whatever nothing calls goes.
    private const double LargestShareOfStandins = 1.0;

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public void Standins_stay_small()
    {
        int standins = Lines("standins", ".cs", ".cpp", ".h");
        int own = Lines("src", ".cs") + Lines("tests", ".cs");
        double share = (double)standins / own;
        TestContext.WriteLine($"standins/ {standins} lines, src/ and tests/ {own} lines: {share:0.00}");
        Assert.IsLessThanOrEqualTo(LargestShareOfStandins, share);
    }

    [TestMethod]
    public void No_source_file_knows_which_packages_it_gets()
    {
        var conditional = SourceTree.Files("src", ".cs").Where(file => Regex.IsMatch(file.Text, @"^\s*#\s*if\b", RegexOptions.Multiline));
        Assert.AreEqual("", string.Join('\n', conditional.Select(file => file.Path)));
    }

    [TestMethod]
    public void NuGet_config_names_no_feed()
    {
        XDocument config = XDocument.Load(Path.Combine(SourceTree.Root, "NuGet.config"));
        Assert.IsFalse(config.Descendants("packageSources").Any());
        Assert.IsFalse(config.ToString().Contains("://", StringComparison.Ordinal));
    }

    private static int Lines(string folder, params string[] extensions) => SourceTree.Files(folder, extensions).Sum(file => file.Text.Count(c => c == '\n'));
}
