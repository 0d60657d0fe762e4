using Microsoft.ML.Tokenizers;

namespace MLNetExtension.Tests.Contracts.MicrosoftML;

/// <summary>How the byte-pair encoder merges the bytes of a word; whole vocabularies are in the golden files of the tokenizers.</summary>
[TestClass]
public sealed class BpeTokenizerTests
{
    private static readonly string[] Tokens = ["a", "b", "c", "ab", "bc", "abc", "Ġ", "aa", "ð", "Ł", "ĺ", "Ģ", "í", "ł"];

    [TestMethod]
    [DataRow("abc", new[] { 5 })]
    [DataRow("bc", new[] { 4 })]
    [DataRow("aaa", new[] { 7, 0 })]
    [DataRow("ab abc", new[] { 3, 6, 5 })]
    [DataRow("", new int[0])]
    [DataRow("😀", new[] { 8, 9, 10, 11 })]
    [DataRow("axb", new[] { 3 })]
    public void The_earliest_merge_comes_first_and_of_two_alike_the_left_one(string text, int[] ids) =>
        CollectionAssert.AreEqual(ids, Encoder("a b", "ab c", "b c", "a a").EncodeToIds(text.AsSpan(), considerPreTokenization: false, considerNormalization: false).ToArray());

    [TestMethod]
    public void A_lone_surrogate_is_the_three_bytes_of_its_code_point() =>
        CollectionAssert.AreEqual(new[] { 12, 13, 11 }, Encoder().EncodeToIds("\uD800", considerPreTokenization: false).ToArray());

    [TestMethod]
    public void The_order_of_the_merges_counts() => CollectionAssert.AreEqual(
        new[] { 0, 4 }, Encoder("b c", "a b").EncodeToIds("abc", considerPreTokenization: false).ToArray());

    [TestMethod]
    public void By_itself_it_splits_words_and_leaves_white_space_out() =>
        CollectionAssert.AreEqual(new[] { 3, 5 }, Encoder("a b", "ab c").EncodeToIds("ab abc").ToArray());

    [TestMethod]
    public void A_merge_that_is_malformed_or_not_in_the_vocabulary_is_refused()
    {
        Assert.ThrowsExactly<InvalidOperationException>(() => Encoder("ab"));
        Assert.ThrowsExactly<InvalidOperationException>(() => Encoder("a b c"));
        Assert.ThrowsExactly<InvalidOperationException>(() => Encoder("a z"));
        Assert.ThrowsExactly<InvalidOperationException>(() => BpeTokenizer.Create(new BpeOptions(new Dictionary<string, int>())));
        Assert.ThrowsExactly<ArgumentNullException>(() => new BpeOptions(null!));
    }

    private static BpeTokenizer Encoder(params string[] merges) => BpeTokenizer.Create(new BpeOptions(Enumerable.Range(0, Tokens.Length).ToDictionary(id => Tokens[id]))
    {
        Merges = merges,
        ByteLevel = true,
    });
}
