using System.Text;
using MLNetExtension.Data;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tests.Data;

[TestClass]
public sealed class TokenExampleEncoderTests
{
    private const int End = ByteLevelTokenizer.EndOfTextId;
    private const int Ignored = TokenExample.IgnoredTarget;

    [TestMethod]
    public void A_text_is_asked_for_from_its_first_byte_to_its_end()
    {
        TokenExample example = Encode("", "ab");
        CollectionAssert.AreEqual(new[] { End, 'a', 'b' }, example.Ids);
        CollectionAssert.AreEqual(new[] { 'a', 'b', End }, example.Targets);
        Assert.AreEqual(3, example.TargetCount);
        Assert.AreEqual(2, example.TargetBytes);
    }

    [TestMethod]
    public void A_prompt_is_read_and_never_asked_for()
    {
        TokenExample example = Encode("pq", "ab");
        CollectionAssert.AreEqual(new[] { End, 'p', 'q', 'a', 'b' }, example.Ids);
        CollectionAssert.AreEqual(new[] { Ignored, Ignored, 'a', 'b', End }, example.Targets);
        Assert.AreEqual(3, example.TargetCount);
    }

    // transformers #46204: counting the targets before the shift makes one too many a row. Seen to fail with: that one added.
    [TestMethod]
    public void Targets_are_counted_after_the_shift()
    {
        TokenExample example = Encode("", "abc");
        Assert.AreEqual(example.Targets.Count(target => target != Ignored), example.TargetCount);
        Assert.AreEqual(Encoding.UTF8.GetByteCount("abc") + 1, example.TargetCount);
    }

    [TestMethod]
    [DataRow(4, 2, 2, DisplayName = "within the completion")]
    [DataRow(5, 3, 3, DisplayName = "just before the closing end-of-text")]
    [DataRow(2, 0, 0, DisplayName = "within the prompt")]
    public void What_passes_the_context_is_truncated_and_said(int contextLength, int targets, int bytes)
    {
        TokenExample example = Encode("pq", "abc", contextLength);
        Assert.AreEqual(contextLength, example.Length);
        Assert.IsTrue(example.WasTruncated);
        Assert.AreEqual(targets, example.TargetCount);
        Assert.AreEqual(bytes, example.TargetBytes);
    }

    [TestMethod]
    public void A_truncation_inside_a_character_counts_the_bytes_that_are_there() => Assert.AreEqual(2, Encode("", "a€", contextLength: 2).TargetBytes);

    [TestMethod]
    public void A_row_that_just_fits_is_whole()
    {
        TokenExample example = Encode("pq", "abc", contextLength: 6);
        Assert.IsFalse(example.WasTruncated);
        Assert.AreEqual(4, example.TargetCount);
    }

    [TestMethod]
    public void Bytes_are_those_of_the_text_not_its_characters() => Assert.AreEqual(7, Encode("", "é€ü").TargetBytes);

    [TestMethod]
    [DataRow("ab€", 100)]
    [DataRow("ab€", 4)]
    [DataRow("", 100)]
    public void Token_ids_make_the_example_of_the_text_that_they_spell(string text, int contextLength)
    {
        TokenExampleEncoder encoder = new(new ByteLevelTokenizer(), contextLength);
        TokenExample expected = Encode("", text, contextLength), example = encoder.Encode(new RowContent.TokenIds([.. Encoding.UTF8.GetBytes(text).Select(id => (int)id)], AddBeginning: true, AddEnd: true, Weight: 3), 0);
        CollectionAssert.AreEqual(expected.Ids, example.Ids);
        CollectionAssert.AreEqual(expected.Targets, example.Targets);
        Assert.AreEqual((expected.TargetBytes, expected.WasTruncated, 3.0), (example.TargetBytes, example.WasTruncated, example.Weight));
    }

    // The bytes are those of the targets: without a beginning, the first id is none.
    [TestMethod]
    [DataRow("abc", false, false, 100, "ab", "bc", 2, false)]
    [DataRow("abc", false, true, 100, "abc", "bc#", 2, false)]
    [DataRow("abc", true, false, 100, "#ab", "abc", 3, false)]
    [DataRow("abcd", false, false, 2, "ab", "bc", 2, true)]
    [DataRow("abc", false, false, 2, "ab", "bc", 2, false)]
    [DataRow("a", false, false, 100, "a", "-", 0, false)]
    [DataRow("", false, false, 100, "#", "-", 0, false)]
    [DataRow("", false, true, 100, "#", "-", 0, false)]
    public void Token_ids_have_a_beginning_and_an_end_where_the_columns_say_so(
        string tokens, bool beginning, bool end, int contextLength, string ids, string targets, int bytes, bool truncated)
    {
        TokenExample example = new TokenExampleEncoder(new ByteLevelTokenizer(), contextLength).Encode(new RowContent.TokenIds([.. tokens.Select(c => (int)c)], beginning, end, Weight: 1), 0);
        Assert.AreEqual((ids, targets, bytes, truncated), (Spell(example.Ids), Spell(example.Targets), example.TargetBytes, example.WasTruncated));
        Assert.AreEqual(targets != "-", example.HasTargets);

        string Spell(int[] spelt) => string.Concat(spelt.Select(id => id == ByteLevelTokenizer.EndOfTextId ? '#' : id == TokenExample.IgnoredTarget ? '-' : (char)id));
    }

    [TestMethod]
    public void Ids_and_targets_of_unequal_length_are_refused_naming_the_row() =>
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => new TokenExample([1, 2], [1], 0, 17)).Message, "row 17 has 2 ids and 1 targets");

    private static TokenExample Encode(string prompt, string completion, int contextLength = 100) =>
        new TokenExampleEncoder(new ByteLevelTokenizer(), contextLength).Encode(new TextRow(prompt, completion), 0);
}
