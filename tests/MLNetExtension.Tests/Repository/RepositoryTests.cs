using System.Xml.Linq;

namespace MLNetExtension.Tests.Repository;

[TestClass]
public sealed class RepositoryTests
{
    [TestMethod]
    public void NuGet_config_names_no_feed()
    {
        XDocument config = XDocument.Load(Path.Combine(SourceTree.Root, "NuGet.config"));
        Assert.IsFalse(config.Descendants("packageSources").Any());
        Assert.IsFalse(config.ToString().Contains("://", StringComparison.Ordinal));
    }
}
