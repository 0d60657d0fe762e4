using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tests.Tokenization.HuggingFace;

[TestClass]
public sealed class GoldenIdsTests
{
    public static IEnumerable<object[]> Styles => Golden.Styles.Select(style => new object[] { style });

    // Seen to fail with patterns that see surrogates (an emoji before a word), without ignore_merges (llama3), without NFC (qwen2), and with
    // the shortest and not the longest of two added tokens (gpt2).
    [TestMethod]
    [DynamicData(nameof(Styles))]
    public void The_ids_are_those_of_a_second_implementation(string style) =>
        AreEqual(Golden.Ids(style, "ids"), text => Golden.Tokenizer(style).EncodeToIds(text), style);

    // Seen to fail with special tokens found in content.
    [TestMethod]
    [DynamicData(nameof(Styles))]
    public void Content_has_the_ids_of_a_second_implementation_that_looks_for_no_special_token(string style) =>
        AreEqual(Golden.Ids(style, "content"), Golden.Tokenizer(style).EncodeText, style);

    [TestMethod]
    [DynamicData(nameof(Styles))]
    public void The_beginning_of_text_is_what_the_post_processor_adds(string style)
    {
        HuggingFaceTokenizer tokenizer = Golden.Tokenizer(style);
        int[] prefix = Golden.Prefix(style);
        CollectionAssert.AreEqual(prefix, tokenizer.BeginningOfTextId is { } id ? new[] { id } : []);
    }

    [TestMethod]
    [DynamicData(nameof(Styles))]
    public void Every_difficult_text_comes_back(string style)
    {
        HuggingFaceTokenizer tokenizer = Golden.Tokenizer(style);
        foreach (string text in Golden.Texts)
        {
            string expected = tokenizer.Normalizer?.Normalize(text) ?? text;
            Assert.AreEqual(expected, tokenizer.Decode(tokenizer.EncodeText(text)));
            if (tokenizer.Normalizer is null)
                Assert.AreEqual(text, tokenizer.Decode(tokenizer.EncodeToIds(text), considerSpecialTokens: true));
        }
    }

    private static void AreEqual(int[][] expected, Func<string, IReadOnlyList<int>> encode, string style)
    {
        string[] texts = Golden.Texts;
        Assert.HasCount(texts.Length, expected);
        var differences = Enumerable.Range(0, texts.Length)
            .Where(i => !encode(texts[i]).SequenceEqual(expected[i]))
            .Select(i => $"{style}, \"{texts[i]}\": {string.Join(' ', encode(texts[i]))}, expected {string.Join(' ', expected[i])}");
        Assert.AreEqual("", string.Join('\n', differences));
    }
}
