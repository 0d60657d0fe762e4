using MLNetExtension.Data;
using MLNetExtension.Tokenization;

namespace MLNetExtension.Tests.Tokenization;

[TestClass]
public sealed class EncodeStartTests
{
    public static IEnumerable<object[]> Names => TestTokenizers.AllNames.Select(name => new object[] { name });

    // Texts of one word, of many, of characters that no vocabulary has, and with the worst at the end of what is looked at first. Seen to fail with: the beginning of a text split as
    // if it were the whole.
    [TestMethod]
    [DynamicData(nameof(Names))]
    public void The_first_ids_of_a_long_text_are_those_of_the_whole(string name)
    {
        ILanguageTokenizer tokenizer = TestTokenizers.Load(name);
        foreach (string text in LongTexts(name is "gpt2" or "llama3" or "qwen2" ? 34_000 : 5_000))
        {
            IReadOnlyList<int> whole = tokenizer.EncodeText(text);
            foreach (int count in (int[])[0, 1, 7, 64, 500, int.MaxValue])
            {
                IReadOnlyList<int> start = tokenizer.EncodeStart(text, count);
                Assert.IsTrue(start.SequenceEqual(whole.Take(count)), $"{name}: {count} ids of \"{text[..20]}...\"");
            }
        }
    }

    [TestMethod]
    [DynamicData(nameof(Names))]
    public void The_first_ids_of_any_text_are_those_of_the_whole(string name)
    {
        ILanguageTokenizer tokenizer = TestTokenizers.Load(name);
        Texts.ForAll(Texts.Any, text => tokenizer.EncodeStart(text, text.Length / 2).SequenceEqual(tokenizer.EncodeText(text).Take(text.Length / 2)));
    }

    // The wrapper has no way of its own to encode a beginning, as a user's tokenizer may have none: its rows are encoded whole.
    [TestMethod]
    [DynamicData(nameof(Names))]
    public void An_example_is_the_same_whether_the_row_was_encoded_whole_or_not(string name)
    {
        ILanguageTokenizer tokenizer = TestTokenizers.Load(name);
        string[] texts = ["", "a", "the cat", .. LongTexts(3_000)];
        foreach (int context in (int[])[1, 2, 3, 40])
        {
            var bounded = new TokenExampleEncoder(tokenizer, context);
            var whole = new TokenExampleEncoder(new WholeTokenizer(tokenizer), context);
            foreach ((string prompt, string completion) in texts.Zip(texts.Skip(2).Concat(texts)).Append(("ab", "ab")))
                AssertEqual(whole.Encode(new TextRow(prompt, completion), 3), bounded.Encode(new TextRow(prompt, completion), 3));
        }
    }

    [TestMethod]
    [DataRow("llama3")]
    [DataRow("qwen2")]
    public void A_chat_s_example_is_the_same_for_every_context_as_far_as_it_goes(string name)
    {
        const string Chat = """[{"role":"user","content":"the cat sat on the mat"},{"role":"assistant","content":"and the dog"},{"role":"user","content":"so"},{"role":"assistant","content":"it is"}]""";
        TokenExample whole = Encode(int.MaxValue);
        for (int context = 1; context < whole.Length + 3; context++)
        {
            TokenExample example = Encode(context);
            Assert.AreEqual((Math.Min(context, whole.Length), context < whole.Length), (example.Length, example.WasTruncated));
            CollectionAssert.AreEqual(whole.Ids[..example.Length], example.Ids);
            CollectionAssert.AreEqual(whole.Targets[..example.Length], example.Targets);
        }

        TokenExample Encode(int context) => new TokenExampleEncoder(Golden.Tokenizer(name), context).Encode(new RowContent.Chat(Chat, 1), 0);
    }

    private static void AssertEqual(TokenExample expected, TokenExample actual)
    {
        CollectionAssert.AreEqual(expected.Ids, actual.Ids);
        CollectionAssert.AreEqual(expected.Targets, actual.Targets);
        Assert.AreEqual((expected.TargetBytes, expected.WasTruncated, expected.TargetCount), (actual.TargetBytes, actual.WasTruncated, actual.TargetCount));
    }

    private static IEnumerable<string> LongTexts(int length)
    {
        var random = new Random(5);
        string letters = string.Concat(Golden.Corpus.Where(char.IsAsciiLetterLower));
        string[] units = ["a", " ", "=", "the cat ", "  a", "漢字", "😀", "\u0301", "\uD800", "\0", "ab\n", letters, Golden.Corpus];
        foreach (string unit in units)
            yield return string.Concat(Enumerable.Repeat(unit, (length / unit.Length) + 1))[..length];

        yield return string.Concat(random.GetItems("aeinrst".ToCharArray(), length));
        yield return new string('e', length / 2) + " " + new string(' ', length / 2);
        yield return string.Concat(Enumerable.Range(0, length / 2).Select(_ => random.Next(2) == 0 ? "<s>" : "▁e"))[..length];
    }

    /// <summary>Another tokenizer, as a user's own class has one.</summary>
    private sealed class WholeTokenizer(ILanguageTokenizer inner) : ILanguageTokenizer
    {
        public int VocabularySize => inner.VocabularySize;

        public int EndOfTextId => inner.EndOfTextId;

        public int? BeginningOfTextId => inner.BeginningOfTextId;

        public IReadOnlyList<TokenizerFile> Files => inner.Files;

        public IReadOnlyList<int> EncodeText(string text) => inner.EncodeText(text);

        public string Decode(IEnumerable<int> ids) => inner.Decode(ids);

        public int ByteCount(int id) => inner.ByteCount(id);
    }
}
