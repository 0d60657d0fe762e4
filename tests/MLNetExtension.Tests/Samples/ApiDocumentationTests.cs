using System.Xml.Linq;
using Samples.Text;

namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class ApiDocumentationTests
{
    [TestMethod]
    [DataRow("<summary>\n  Gets the <see cref=\"T:System.String\" />\n  of <paramref name=\"x\"/>.\n</summary>", "Gets the System.String of x.")]
    [DataRow("<summary>Is <see langword=\"true\"/> or <c>a &lt; b</c></summary>", "Is true or a < b")]
    [DataRow("<summary><para>One.</para><para>Two.</para></summary>", "One. Two.")]
    [DataRow("<summary>See <see href=\"https://a.b/\">the page</see>.</summary>", "See the page.")]
    [DataRow("<summary>Calls <see cref=\"M:A.B(System.Int32)\"/></summary>", "Calls A.B(System.Int32)")]
    [DataRow("<summary> </summary>", "")]
    public void A_summary_becomes_plain_text(string xml, string expected) =>
        Assert.AreEqual(expected, SummaryText.Render(XElement.Parse(xml, LoadOptions.PreserveWhitespace)));

    [TestMethod]
    public void Members_become_rows_in_order_and_a_text_that_comes_again_is_left_out()
    {
        using TemporaryFolder folder = new();
        folder.Write("B.xml", """<doc><members><member name="T:B"><summary>Last.</summary></member></members></doc>""");
        folder.Write("A.xml", """
            <doc><members><member name="M:A.X"><summary>First.</summary></member><member name="M:A.X(System.Int32)"><summary> First. </summary></member>
            <member name="M:A.Y"><remarks>None.</remarks></member><member name="M:A.Z"><summary>Middle.</summary></member></members></doc>
            """);

        RowSet rows = ApiDocumentation.Read(folder.Path);

        CollectionAssert.AreEqual(new Row[] { new("M:A.X\n", "First."), new("M:A.Z\n", "Middle."), new("T:B\n", "Last.") }, rows.Rows.ToArray());
        Assert.AreEqual(RowKind.Prompts, rows.Kind);
        Assert.AreEqual(1, rows.Skipped);
    }

    [TestMethod]
    public void The_newest_pack_with_documentation_is_found()
    {
        using TemporaryFolder folder = new();
        foreach (string version in (string[])["9.0.1", "10.0.2", "10.0.12-rc.1", "10.0.12", "11.0.0"])
            Directory.CreateDirectory(folder[$"{version}/ref/net{version.Split('.')[0]}.0"]);
        foreach (string version in (string[])["9.0.1", "10.0.2", "10.0.12-rc.1", "10.0.12"])
            folder.Write($"{version}/ref/net{version.Split('.')[0]}.0/A.xml", "<doc/>");

        Assert.AreEqual(folder[Path.Combine("10.0.12", "ref", "net10.0")], ReferencePack.Newest([folder["missing"], folder.Path]));
        Assert.IsNull(ReferencePack.Newest([folder["missing"]]));
    }

    [TestMethod]
    public void This_machine_has_documentation_to_train_on() => Assert.IsTrue(File.Exists(Path.Combine(ReferencePack.Find(), "System.Runtime.xml")));
}
