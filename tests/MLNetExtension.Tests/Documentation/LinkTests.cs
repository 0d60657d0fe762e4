using MLNetExtension.Tests.Repository;

namespace MLNetExtension.Tests.Documentation;

[TestClass]
public sealed class LinkTests
{
    // Seen to fail with: a link to a page that is not there, and one to a heading that had another name by then.
    [TestMethod]
    public void Every_link_within_the_repository_leads_to_a_file_and_a_heading()
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
        string[] parts = link.Split('#', 2);
        string file = Path.Combine(SourceTree.Root, parts[0].Length == 0 ? page.Path : Path.Combine(Path.GetDirectoryName(page.Path)!, parts[0]));
        return File.Exists(file) && (parts.Length == 1 || File.ReadLines(file).Any(line => line.StartsWith('#') && Anchor(line) == parts[1]));
    }

    // As GitHub makes them: lower case, letters and digits and hyphens alone, spaces as hyphens.
    private static string Anchor(string heading) =>
        string.Concat(heading.TrimStart('#').Trim().ToLowerInvariant().Where(c => char.IsLetterOrDigit(c) || c is ' ' or '-' or '_')).Replace(' ', '-');
}
