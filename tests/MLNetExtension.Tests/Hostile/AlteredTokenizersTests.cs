using System.Text;
using MLNetExtension.Tests.Tokenization;
using MLNetExtension.Tests.Tokenization.HuggingFace;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tests.Hostile;

/// <summary>The files of tokenizers, altered: each is read, encodes and decodes, or is refused in words that name it.</summary>
[TestClass]
[TestCategory("Hostile")]
public sealed class AlteredTokenizersTests
{
    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    [DataRow("gpt2", "tokenizer.json")]
    [DataRow("llama3", "tokenizer.json")]
    [DataRow("qwen2", "tokenizer.json")]
    [DataRow("llama3", "tokenizer_config.json")]
    public void An_altered_json_file_is_read_or_refused_by_name(string style, string altered)
    {
        TokenizerFile[] files = [.. Directory.GetFiles(Golden.FolderOf(style)).Select(path => new TokenizerFile(Path.GetFileName(path), File.ReadAllBytes(path)))];
        Strike(files, altered, FileFormat.Json, 300);
    }

    [TestMethod]
    [DataRow("llama2")]
    [DataRow("mistral")]
    [DataRow("phi3")]
    [DataRow("t5")]
    [DataRow("xlmr")]
    [DataRow("unknown")]
    public void An_altered_file_of_another_family_is_read_or_refused_by_name(string name) =>
        Strike([new TokenizerFile("tokenizer.json", Encoding.UTF8.GetBytes(FamilyTokenizers.Of(name).Json))], "tokenizer.json", FileFormat.Json, 100);

    [TestMethod]
    public void An_altered_tiktoken_file_is_read_or_refused_by_name()
    {
        var lines = Golden.Tokenizer("llama3").Vocabulary.OrderBy(entry => entry.Value).Select((entry, rank) => $"{Convert.ToBase64String(ByteAlphabet.TryDecode(entry.Key)!)} {rank}\n");
        Strike([new TokenizerFile("tokenizer.model", Encoding.ASCII.GetBytes(string.Concat(lines)))], "tokenizer.model", FileFormat.Binary, 100);
    }

    [TestMethod]
    [DataRow("llama")]
    [DataRow("gemma")]
    [DataRow("normalized")]
    [DataRow("unigram")]
    [DataRow("unigram_bytes")]
    public void An_altered_model_is_read_or_refused_by_name(string name) =>
        Strike([TestTokenizers.SentencePieceFile(name)], "tokenizer.model", FileFormat.Binary, 200);

    // What is read must encode and decode: a file that loads and then throws is no better than one that does not.
    private void Strike(TokenizerFile[] files, string altered, FileFormat format, int count)
    {
        byte[] original = files.Single(file => file.Name == altered).Content.ToArray();
        TestContext.WriteLine(HostileFile.Strike(original, format, Attack.Scale(count), [altered, "tokenizer.json"], bytes =>
            Use(TokenizerFolder.Load([.. files.Select(file => file.Name == altered ? new TokenizerFile(altered, bytes) : file)]))));
    }

    private static void Use(ILanguageTokenizer tokenizer)
    {
        foreach (string text in (string[])["The cat's 12 hats,  é😀!\n", "", "\0\uD800", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"])
        {
            IReadOnlyList<int> ids = tokenizer.EncodeText(text);
            Assert.IsTrue(ids.All(id => (uint)id < (uint)tokenizer.VocabularySize));
            _ = tokenizer.Decode(ids);
            _ = tokenizer.EncodeStart(text, 3);
            var decoder = new StreamingDecoder(tokenizer);
            foreach (int id in ids)
                decoder.Append(id);
        }
    }
}
