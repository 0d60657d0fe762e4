using System.Text;
using MLNetExtension.Data;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tests.Tokenization;

/// <summary>Texts that no one writes: each is encoded, and decoded to what the tokenizer's normalizer makes of it.</summary>
[TestClass]
public sealed class HostileTextTests
{
    public static IEnumerable<object[]> Names => TestTokenizers.AllNames.Select(name => new object[] { name });

    // The rule: bytes bring every text back, lone surrogates included; SentencePiece those without lone surrogates, with U+2581 as a space.
    [TestMethod]
    [Timeout(60_000)]
    [DynamicData(nameof(Names))]
    public void Every_text_is_encoded_and_comes_back_as_its_tokenizer_says(string name)
    {
        ILanguageTokenizer tokenizer = TestTokenizers.Load(name);
        foreach (string text in HostileTexts())
        {
            IReadOnlyList<int> ids = tokenizer.EncodeText(text);
            Assert.IsTrue(ids.All(id => (uint)id < (uint)tokenizer.VocabularySize));
            string expected = tokenizer is HuggingFaceTokenizer { Normalizer: { } normalizer } ? normalizer.Normalize(text) : text;
            if (name is "bytes" || Golden.Styles.Contains(name))
                Assert.AreEqual(expected, tokenizer.Decode(ids));
            else if (name is "llama")
                Assert.AreEqual(Repair(text).Replace('\u2581', ' '), Repair(tokenizer.Decode(ids)));
            else
                _ = tokenizer.Decode(ids);

            _ = new TokenExampleEncoder(tokenizer, 16).Encode(new TextRow(text, text), 0);
            _ = new StreamingDecoder(tokenizer).Flush();
        }
    }

    // Marks are sorted by class: what comes first may stand at the end of the text, and Hugging Face's library sorts as we do.
    [TestMethod]
    public void Marks_in_any_order_have_the_ids_of_Hugging_Face()
    {
        using var oracle = new Oracle(Golden.Json("qwen2"));
        var random = new Random(4);
        string[] units = ["a", "e", "q", "\u0301", "\u0323", "\u0307", "\u0345", "\u05B0", "\u0B47", "\u0B3E", "\u1100", "\u1161", "\u11A8", "가", "Å", "\u212B", "\u0958", "\U0001D15E", "\U0001D165", "😀", " ", "é"];
        for (int i = 0; i < 400; i++)
            oracle.AssertEqual(string.Concat(random.GetItems(units, random.Next(40))));

        oracle.AssertEqual("a" + string.Concat(random.GetItems(units[3..8], 20_000)));
    }

    private static IEnumerable<string> HostileTexts()
    {
        var random = new Random(6);
        yield return "";
        foreach (string unit in (string[])["\uD800", "\uDC00", "\uDC00\uD800", "\0", " ", "\u00A0", "\u3000", "\u0301", "\u0301\u0323", "\uFFFD", "\uFEFF", "\u2581", "\u200D", "\uFFFF", "\U0010FFFF", "<s>", "<|endoftext|>", "\r\n", "ﷺ"])
        {
            yield return unit;
            yield return string.Concat(Enumerable.Repeat(unit, 1000));
            yield return $"a{unit}b {unit} {unit}";
        }

        yield return "a" + string.Concat(random.GetItems("\u0301\u0323\u0307".ToCharArray(), 100_000));
        yield return new string(' ', 100_000);
        yield return string.Concat(Enumerable.Range(0, 2_000).Select(_ => (char)random.Next(char.MaxValue + 1)));
    }

    private static string Repair(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
}
