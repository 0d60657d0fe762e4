using Samples.Text;

namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class RowFileTests
{
    private static readonly RowColumns _default = new();

    [TestMethod]
    [DataRow("a.txt", "one\n\ntwo\r\n")]
    [DataRow("a.csv", "id,text\n1,one\n2,\n3,two\n")]
    [DataRow("a.tsv", "id\tTEXT\n1\tone\n2\t \n3\ttwo\n")]
    [DataRow("a.jsonl", "{\"text\":\"one\"}\n{\"text\":\"\"}\n{\"id\":3,\"text\":\"two\"}\n")]
    public void Every_format_gives_the_same_rows_and_counts_the_empty_ones(string name, string content)
    {
        using TemporaryFolder folder = new();
        RowSet rows = RowFile.Read(folder.Write(name, content), _default);
        CollectionAssert.AreEqual(new Row[] { new("", "one"), new("", "two") }, rows.Rows.ToArray());
        Assert.AreEqual(RowKind.Texts, rows.Kind);
        Assert.AreEqual(1, rows.Skipped);
    }

    [TestMethod]
    public void Prompts_and_completions_are_taken_where_both_are_there_and_kept_apart_by_a_line_end()
    {
        using TemporaryFolder folder = new();
        RowSet rows = RowFile.Read(folder.Write("a.csv", "text,completion,prompt\nt,\"c, 1\",p\nt,c,\"p\n\"\n"), _default);
        CollectionAssert.AreEqual(new Row[] { new("p\n", "c, 1"), new("p\n", "c") }, rows.Rows.ToArray());
        Assert.AreEqual(RowKind.Prompts, rows.Kind);
    }

    [TestMethod]
    public void Columns_can_be_chosen()
    {
        using TemporaryFolder folder = new();
        string file = folder.Write("a.csv", "question,answer,text\nq,a,t\n");
        Assert.AreEqual(new Row("q\n", "a"), RowFile.Read(file, new RowColumns(Prompt: "question", Completion: "answer")).Rows[0]);
        Assert.AreEqual(new Row("", "a"), RowFile.Read(file, new RowColumns(Text: "answer")).Rows[0]);
    }

    [TestMethod]
    public void Characters_beyond_ASCII_a_byte_order_mark_and_a_stray_quotation_mark_are_text()
    {
        using TemporaryFolder folder = new();
        string file = folder.Write("a.tsv", "\uFEFFtext\tid\nfünf \U0001F600 5\" pipe\t1\n");
        Assert.AreEqual("fünf \U0001F600 5\" pipe", RowFile.Read(file, _default).Rows[0].Completion);
    }
}
