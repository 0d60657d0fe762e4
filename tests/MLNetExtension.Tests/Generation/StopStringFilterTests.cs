using MLNetExtension.Generation;

namespace MLNetExtension.Tests.Generation;

[TestClass]
public sealed class StopStringFilterTests
{
    [TestMethod]
    [DataRow("three|four", "one two", "one two", DisplayName = "none")]
    [DataRow("END", "some text END more", "some text ")]
    [DataRow("END", "some text E", "some text E", DisplayName = "begun and never ended")]
    [DataRow("aab", "aaab", "a", DisplayName = "begun twice")]
    [DataRow("\n\n|###", "x\ny###\n\n", "x\ny", DisplayName = "the first of two")]
    [DataRow("b|ab", "xab", "x", DisplayName = "one at the end of another")]
    public void Text_ends_before_the_first_stop_string_however_it_is_cut(string stops, string text, string expected)
    {
        Random random = new(5);
        for (int trial = 0; trial < 50; trial++)
        {
            StopStringFilter filter = new(stops.Split('|'));
            string given = "";
            for (int at = 0; at < text.Length && !filter.HasStopped;)
            {
                int length = Math.Min(random.Next(1, 4), text.Length - at);
                given += filter.Append(text.Substring(at, length));
                Assert.StartsWith(given, expected, "what has been given is never taken back");
                at += length;
            }
            Assert.AreEqual(text != expected, filter.HasStopped);
            Assert.AreEqual(expected, given + filter.Flush());
        }
    }

    [TestMethod]
    public void No_more_is_held_back_than_may_begin_a_stop_string()
    {
        StopStringFilter filter = new(["END"]);
        Assert.AreEqual("some ", filter.Append("some E"));
        Assert.AreEqual("E", filter.Append("E"));
        Assert.AreEqual("", filter.Append("N"));
        Assert.AreEqual("ENough", filter.Append("ough"));
        Assert.AreEqual("text", new StopStringFilter([]).Append("text"));
    }
}
