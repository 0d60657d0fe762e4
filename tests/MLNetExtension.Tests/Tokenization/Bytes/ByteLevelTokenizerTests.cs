using System.Text;
using Microsoft.ML.Tokenizers;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tests.Tokenization.Bytes;

[TestClass]
public sealed class ByteLevelTokenizerTests
{
    private static readonly ByteLevelTokenizer Tokenizer = new();

    [TestMethod]
    public void Every_string_comes_back_from_its_ids() =>
        Texts.ForAll(Texts.Any, text => Tokenizer.Decode(Tokenizer.EncodeToIds(text)) == text);

    [TestMethod]
    public void Every_single_char_comes_back_lone_surrogates_included()
    {
        for (int code = 0; code <= 0xFFFF; code++)
            Assert.AreEqual(code, Tokenizer.Decode(Tokenizer.EncodeToIds(((char)code).ToString())).Single());
    }

    [TestMethod]
    public void The_ids_of_a_well_formed_string_are_its_bytes_in_utf_8() => Texts.ForAll(
        Texts.WellFormed, text => Tokenizer.EncodeToIds(text).SequenceEqual(Encoding.UTF8.GetBytes(text).Select(value => (int)value)));

    [TestMethod]
    public void A_lone_surrogate_is_the_three_bytes_of_its_code_point() => CollectionAssert.AreEqual(
        new[] { 0x61, 0xED, 0xA0, 0x80, 0x62, 0xED, 0xBF, 0xBF }, Tokenizer.EncodeToIds("a\uD800b\uDFFF").ToArray());

    [TestMethod]
    public void A_string_and_a_span_have_the_same_ids() => Texts.ForAll(
        Texts.Any, text => Tokenizer.EncodeToIds(text).SequenceEqual(Tokenizer.EncodeToIds(text.AsSpan())));

    [TestMethod]
    public void Counting_agrees_with_encoding() => Texts.ForAll(
        Texts.Any, text => Tokenizer.CountTokens(text) == Tokenizer.EncodeToIds(text).Count);

    [TestMethod]
    public void Text_that_looks_like_end_of_text_is_not_taken_for_it()
    {
        IReadOnlyList<int> ids = Tokenizer.EncodeToIds(ByteLevelTokenizer.EndOfText);

        Assert.HasCount(13, ids);
        Assert.DoesNotContain(ByteLevelTokenizer.EndOfTextId, ids);
        Assert.AreEqual(ByteLevelTokenizer.EndOfText, Tokenizer.Decode(ids));
    }

    [TestMethod]
    public void No_text_no_ids()
    {
        Assert.IsEmpty(Tokenizer.EncodeToIds(""));
        Assert.IsEmpty(Tokenizer.EncodeToTokens("", out string? normalized));
        Assert.IsNull(normalized);
        Assert.AreEqual(0, Tokenizer.CountTokens(""));
        Assert.AreEqual("", Tokenizer.Decode([]));
    }

    [TestMethod]
    public void Tokens_carry_the_ids_and_the_range_of_their_character() => Texts.ForAll(Texts.Any, text =>
    {
        IReadOnlyList<EncodedToken> tokens = Tokenizer.EncodeToTokens(text, out _);
        return tokens.Select(token => token.Id).SequenceEqual(Tokenizer.EncodeToIds(text))
            && tokens.All(token => token.Value == text[token.Offset])
            && string.Concat(tokens.Select(token => token.Offset).Distinct().Select(range => text[range])) == text;
    });

    [TestMethod]
    public void The_bytes_of_a_character_share_its_offset()
    {
        IReadOnlyList<EncodedToken> tokens = Tokenizer.EncodeToTokens("a😀é", out _);

        Range[] expected = [0..1, 1..3, 1..3, 1..3, 1..3, 3..4, 3..4];
        CollectionAssert.AreEqual(expected, tokens.Select(token => token.Offset).ToArray());
        Assert.AreEqual(new EncodedToken(0x9F, "😀", 1..3), tokens[2]);
    }

    [TestMethod]
    [DataRow(1, 1, "a")]
    [DataRow(2, 1, "a")]
    [DataRow(4, 1, "a")]
    [DataRow(5, 5, "a😀")]
    [DataRow(6, 5, "a😀")]
    [DataRow(7, 7, "a😀é")]
    [DataRow(int.MaxValue, 7, "a😀é")]
    public void A_limit_keeps_whole_characters(int maximum, int tokens, string kept)
    {
        IReadOnlyList<int> ids = Tokenizer.EncodeToIds("a😀é", maximum, out string? normalized, out int charsConsumed);

        Assert.HasCount(tokens, ids);
        Assert.AreEqual(kept, Tokenizer.Decode(ids));
        Assert.AreEqual(kept.Length, charsConsumed);
        Assert.IsNull(normalized);
        Assert.AreEqual(kept.Length, Tokenizer.GetIndexByTokenCount("a😀é", maximum, out _, out int count));
        Assert.AreEqual(tokens, count);
    }

    [TestMethod]
    public void A_limit_from_either_end_keeps_as_many_characters_as_fit() => Texts.ForAll(Texts.Any, text =>
    {
        Random random = new(text.Length);
        int maximum = random.Next(1, 12);
        int head = Tokenizer.GetIndexByTokenCount(text, maximum, out _, out int headCount);
        int tail = Tokenizer.GetIndexByTokenCountFromEnd(text, maximum, out _, out int tailCount);
        IReadOnlyList<int> ids = Tokenizer.EncodeToIds(text, maximum, out _, out int charsConsumed);
        return charsConsumed == head && ids.SequenceEqual(Tokenizer.EncodeToIds(text[..head]))
            && Tokenizer.CountTokens(text[..head]) == headCount && headCount <= maximum
            && Tokenizer.CountTokens(text[tail..]) == tailCount && tailCount <= maximum
            && (head == text.Length || Tokenizer.CountTokens(text[..NextEnd(text, head)]) > maximum)
            && (tail == 0 || Tokenizer.CountTokens(text[PreviousStart(text, tail)..]) > maximum);
    });

    [TestMethod]
    public void A_limit_that_is_not_positive_is_refused()
    {
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Tokenizer.EncodeToIds("a", 0, out _, out _));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Tokenizer.GetIndexByTokenCount("a", 0, out _, out _));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Tokenizer.GetIndexByTokenCountFromEnd("a", -1, out _, out _));
    }

    private static int NextEnd(string text, int index) =>
        index + (index + 1 < text.Length && char.IsSurrogatePair(text, index) ? 2 : 1);

    private static int PreviousStart(string text, int index) =>
        index - (index > 1 && char.IsSurrogatePair(text, index - 2) ? 2 : 1);
}
