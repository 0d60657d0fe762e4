using System.Text;
using System.Text.Json;
using Microsoft.ML.Tokenizers;
using MLNetExtension.Tokenization;

namespace MLNetExtension.Tests.Tokenization.SentencePiece;

/// <summary>Models that <c>Golden/make_sentencepiece.py</c> trained with Google's library, and the ids and texts that it gives.</summary>
[TestClass]
public sealed class SentencePieceGoldenTests
{
    private static readonly Lazy<JsonElement> Expected = new(() => JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "expected.json"))).RootElement);

    private static string Folder => Path.Combine(Golden.Folder, "sentencepiece");

    private static string[] Texts => [.. Expected.Value.GetProperty("texts").EnumerateArray().Select(text => text.GetString()!)];

    [TestMethod]
    [DataRow("llama")]
    [DataRow("gemma")]
    [DataRow("normalized")]
    [DataRow("unigram")]
    [DataRow("unigram_bytes")]
    public void Ids_equal_those_of_the_original_library(string name)
    {
        ILanguageTokenizer tokenizer = Load(name);
        foreach ((string text, int[] expected) in Texts.Zip(Ids(name)))
            CollectionAssert.AreEqual(expected, tokenizer.EncodeText(text).ToArray(), $"{JsonSerializer.Serialize(text)} gives {string.Join(" ", tokenizer.EncodeText(text))}, not {string.Join(" ", expected)}");
    }

    [TestMethod]
    [DataRow("llama")]
    [DataRow("gemma")]
    [DataRow("normalized")]
    [DataRow("unigram")]
    [DataRow("unigram_bytes")]
    public void Decoded_texts_equal_those_of_the_original_library_at_once_and_in_pieces(string name)
    {
        ILanguageTokenizer tokenizer = Load(name);
        string[] decoded = [.. Expected.Value.GetProperty("models").GetProperty(name).GetProperty("decoded").EnumerateArray().Select(text => text.GetString()!)];
        foreach ((int[] ids, string expected) in Ids(name).Zip(decoded))
        {
            StreamingDecoder decoder = new StreamingDecoder(tokenizer);
            Assert.AreEqual(expected, tokenizer.Decode(ids));
            Assert.AreEqual(expected, string.Concat(ids.Select(decoder.Append)) + decoder.Flush());
        }
    }

    // ML.NET's overloads differ in booleans: one of them adds the ids of beginning and end, which turned "a" into 1 263 2.
    [TestMethod]
    [DataRow("llama")]
    [DataRow("unigram")]
    public void The_methods_of_a_tokenizer_add_no_beginning_and_no_end(string name)
    {
        ILanguageTokenizer tokenizer = Load(name);
        var encoder = (Tokenizer)tokenizer;
        foreach (string text in Texts)
        {
            int[] expected = [.. tokenizer.EncodeText(text)];
            CollectionAssert.AreEqual(expected, encoder.EncodeToIds(text).ToArray());
            CollectionAssert.AreEqual(expected, encoder.EncodeToTokens(text, out _).Select(token => token.Id).ToArray());
            Assert.AreEqual(expected.Length, encoder.CountTokens(text));
        }
    }

    [TestMethod]
    public void Bytes_bring_every_text_back()
    {
        ILanguageTokenizer tokenizer = Load("llama");
        Tests.Tokenization.Texts.ForAll(Tests.Tokenization.Texts.WellFormed, text =>
            tokenizer.Decode(tokenizer.EncodeText(text)) == text && tokenizer.EncodeText(text).Sum(tokenizer.ByteCount) == (text.Length == 0 ? 0 : 1) + Encoding.UTF8.GetByteCount(text));
    }

    private static ILanguageTokenizer Load(string name) => TokenizerFolder.Load([new TokenizerFile("tokenizer.model", File.ReadAllBytes(Path.Combine(Folder, name + ".model")))]);

    private static int[][] Ids(string name) =>
        [.. Expected.Value.GetProperty("models").GetProperty(name).GetProperty("ids").EnumerateArray().Select(ids => ids.EnumerateArray().Select(id => id.GetInt32()).ToArray())];
}
