using MLNetExtension.Data;

namespace MLNetExtension.Tests.Data;

[TestClass]
public sealed class OtherCompletionsTests
{
    // A completion of the same prompt would say what the model makes of this prompt, not how far it has moved from its reference.
    [TestMethod]
    [DataRow("a1 a2 b3 b4 c5", "a1-3 a2-3 b3-2 b4-2 c5-4")]
    [DataRow("a1 b2 a3", "a1-2 b2-1 a3-2")]
    [DataRow("a1 a2 a3", "a1-2 a2-3 a3-1")]
    [DataRow("a1", "a1-1")]
    public void Every_row_gets_the_completion_of_a_row_nearby_with_another_prompt(string rows, string expected)
    {
        IEnumerable<RowContent.Pair> given = rows.Split(' ').Select(row => new RowContent.Pair(row[..1], row[1..], "", PairKind.Desirable, 1));
        IEnumerable<RowContent.Pair> passed = OtherCompletions.AddTo(given).Cast<RowContent.Pair>();
        Assert.AreEqual(expected, string.Join(' ', passed.Select(row => $"{row.Prompt}{row.First}-{row.Second}")));
    }
}
