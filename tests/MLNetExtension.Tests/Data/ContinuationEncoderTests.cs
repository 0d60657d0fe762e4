using MLNetExtension.Data;

namespace MLNetExtension.Tests.Data;

[TestClass]
public sealed class ContinuationEncoderTests
{
    private const int Ignored = TokenExample.IgnoredTarget;

    // 1 to 7.
    private static readonly PiecesTokenizer Tokenizer = new("the", " ", "cat", " cat", "sat", " sat", "a");

    [TestMethod]
    public void A_space_before_a_word_is_part_of_the_words_token()
    {
        TokenExample example = new ContinuationEncoder(Tokenizer, 16).Encode("the", [" cat"], 0)[0];
        CollectionAssert.AreEqual(new[] { 0, 1 }, example.Ids);
        CollectionAssert.AreEqual(new[] { Ignored, 4 }, example.Targets);
        Assert.AreEqual(4, example.TargetBytes);
        Assert.IsFalse(example.WasTruncated);
    }

    [TestMethod]
    [DataRow("the ", "cat", new[] { 4 })]
    [DataRow("the  ", "cat", new[] { 2, 4 })]
    [DataRow("the", "cat", new[] { 3 })]
    [DataRow("", " cat", new[] { 4 })]
    [DataRow(" ", "cat", new[] { 4 })]
    public void White_space_at_the_end_of_the_context_is_asked_for_with_the_continuation(string context, string continuation, int[] targets)
    {
        TokenExample example = new ContinuationEncoder(Tokenizer, 16).Encode(context, [continuation], 0)[0];
        CollectionAssert.AreEqual(targets, example.Targets.Where(target => target != Ignored).ToArray());
        Assert.AreEqual(context.Trim().Length > 0 ? 1 + targets.Length : targets.Length, example.Length);
    }

    [TestMethod]
    public void All_texts_follow_the_same_context()
    {
        IReadOnlyList<TokenExample> examples = new ContinuationEncoder(Tokenizer, 16).Encode("the cat", [" sat", " a cat"], 7);
        CollectionAssert.AreEqual(new[] { 0, 1, 4 }, examples[0].Ids);
        CollectionAssert.AreEqual(new[] { Ignored, Ignored, 6 }, examples[0].Targets);
        CollectionAssert.AreEqual(new[] { 0, 1, 4, 2, 7 }, examples[1].Ids);
        CollectionAssert.AreEqual(new[] { Ignored, Ignored, 2, 7, 4 }, examples[1].Targets);
        Assert.AreEqual(7, examples[1].Position);
    }

    [TestMethod]
    public void Of_a_context_that_does_not_fit_the_first_tokens_are_left_out()
    {
        TokenExample example = new ContinuationEncoder(Tokenizer, 3).Encode("the cat sat", [" a cat"], 0)[0];    // 0 1 4 6 | 2 7 4
        CollectionAssert.AreEqual(new[] { 6, 2, 7 }, example.Ids);
        CollectionAssert.AreEqual(new[] { 2, 7, 4 }, example.Targets);
        Assert.IsTrue(example.WasTruncated);

        TokenExample fitting = new ContinuationEncoder(Tokenizer, 6).Encode("the cat sat", [" a cat"], 0)[0];
        Assert.HasCount(6, fitting.Ids);
        Assert.IsFalse(fitting.WasTruncated);
    }

    [TestMethod]
    public void A_continuation_that_fits_no_context_is_refused_with_its_row()
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(() => new ContinuationEncoder(Tokenizer, 2).Encode("the", [" cat", " a cat"], 5));
        Assert.AreEqual("Row 5: option 1 has 3 tokens; the model's context holds 2.", error.Message);
    }

    [TestMethod]
    public void A_continuation_without_a_token_of_its_own_is_refused_with_its_row()
    {
        // "ca" and "t" join to one token, which is the context's.
        var joining = new PiecesTokenizer("ca", "t", "cat");
        var error = Assert.ThrowsExactly<InvalidDataException>(() => new ContinuationEncoder(joining, 8).Encode("ca", ["t"], 3));
        Assert.AreEqual("Row 3: option 0 has no token of its own behind the question.", error.Message);
    }

    [TestMethod]
    public void Texts_behind_encoded_ids_are_encoded_by_themselves()
    {
        TokenExample example = new ContinuationEncoder(Tokenizer, 8).Append([0, 1, 2], ["cat", "sat"], 0)[1];
        CollectionAssert.AreEqual(new[] { 0, 1, 2 }, example.Ids);
        CollectionAssert.AreEqual(new[] { Ignored, Ignored, 5 }, example.Targets);
    }
}
