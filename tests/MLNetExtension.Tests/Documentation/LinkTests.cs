using MLNetExtension.Tests.Repository;

namespace MLNetExtension.Tests.Documentation;

[TestClass]
public sealed class LinkTests
{
    // Seen to fail with: a link to a page that is not there.
    [TestMethod]
    public void Every_link_within_the_repository_leads_to_a_file()
    {
        var dead = MarkdownPage.All.SelectMany(page => page.Links, (page, link) => (page, link)).Where(each => !LeadsSomewhere(each.page, each.link));
        Assert.AreEqual("", string.Join('\n', dead.Select(each => $"{each.page.Path}: {each.link}")));
    }

    [TestMethod]
    public void Every_page_is_reached_from_the_readme()
    {
        IEnumerable<string> links = MarkdownPage.Of("README.md").Links;
        Assert.AreEqual("", string.Join('\n', MarkdownPage.All.Select(page => page.Path).Except([.. links, "README.md"])));
    }

    private static bool LeadsSomewhere(MarkdownPage page, string link)
    {
        string file = link.Split('#')[0];
        return file.Length == 0 || File.Exists(Path.Combine(SourceTree.Root, Path.GetDirectoryName(page.Path)!, file));
    }
}
