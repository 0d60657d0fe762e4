using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tests.Tokenization.HuggingFace;

/// <summary>Llama 3's <c>tokenizer.model</c>, in tiktoken's text format.</summary>
[TestClass]
public sealed class TiktokenTests
{
    // Without the words at the end, which no merge makes: tiktoken makes every token that two others make.
    private static readonly string[] Tokens = [.. Golden.Tokenizer("llama3").Vocabulary.OrderBy(entry => entry.Value).Select(entry => entry.Key).SkipLast(4)];

    private static readonly string[] Lines = [.. Tokens.Select((token, rank) => $"{Convert.ToBase64String(ByteAlphabet.TryDecode(token)!)} {rank}")];

    // The golden file has merges of its own; here every way to make a token counts.
    [TestMethod]
    public void The_ids_are_those_of_the_file_that_Hugging_Face_reads()
    {
        JsonNode json = JsonNode.Parse(FamilyTokenizers.WithoutSpecialTokens(Golden.Json("llama3")))!;
        JsonObject vocabulary = json["model"]!["vocab"]!.AsObject();
        foreach (string token in vocabulary.Select(entry => entry.Key).Except(Tokens).ToArray())
            vocabulary.Remove(token);
        using var oracle = new Oracle(json.ToJsonString());
        ILanguageTokenizer tokenizer = Load(string.Join('\n', Lines) + "\n");
        foreach (string text in FamilyTexts.Make(2000, seed: 6))
            Assert.IsTrue(oracle.Encode(text).SequenceEqual(tokenizer.EncodeText(text)), JsonSerializer.Serialize(text));
    }

    [TestMethod]
    public void Special_tokens_are_those_of_Meta_s_code()
    {
        var tokenizer = (HuggingFaceTokenizer)Load(string.Join("\r\n", Lines));
        int first = Lines.Length;
        Assert.AreEqual(first + 256, tokenizer.VocabularySize);
        Assert.AreEqual((first, first + 1), (tokenizer.BeginningOfTextId!.Value, tokenizer.EndOfTextId));
        Assert.AreEqual(
            (first + 6, first + 7, first + 8, first + 9, first + 10, first + 255),
            (tokenizer.SpecialTokens["<|start_header_id|>"], tokenizer.SpecialTokens["<|end_header_id|>"], tokenizer.SpecialTokens["<|eom_id|>"], tokenizer.SpecialTokens["<|eot_id|>"], tokenizer.SpecialTokens["<|python_tag|>"], tokenizer.SpecialTokens["<|reserved_special_token_245|>"]));
        Assert.IsFalse(tokenizer.EncodeText("<|eot_id|>").Contains(first + 9));
    }

    [TestMethod]
    public void What_is_written_is_read_by_Hugging_Face_with_the_same_ids()
    {
        using var folder = new TemporaryFolder();
        var tokenizer = (HuggingFaceTokenizer)Load(string.Join('\n', Lines));
        TokenizerFolder.Save(tokenizer, folder.Path);
        using var oracle = new Oracle(System.IO.File.ReadAllText(Path.Combine(folder.Path, "tokenizer.json")));
        foreach (string text in FamilyTexts.Make(300, seed: 7).Append("<|begin_of_text|>a<|eot_id|>"))
            Assert.IsTrue(oracle.Encode(text).SequenceEqual(tokenizer.EncodeToIds(text)), JsonSerializer.Serialize(text));
    }

    [TestMethod]
    public void The_configuration_beside_it_names_the_end()
    {
        TokenizerFile map = new("special_tokens_map.json", """{"eos_token":{"content":"<|eot_id|>"}}"""u8.ToArray());
        TokenizerFile configuration = new("tokenizer_config.json", """{"eos_token":"<|eom_id|>"}"""u8.ToArray());
        TokenizerFile model = File(string.Join('\n', Lines));
        Assert.AreEqual(Lines.Length + 9, TokenizerFolder.Load([model, map]).EndOfTextId);
        Assert.AreEqual(Lines.Length + 8, TokenizerFolder.Load([model, map, configuration]).EndOfTextId);
    }

    [TestMethod]
    [DataRow("IQ== 0\nIQ== 1\n", "tokenizer.model, line 2: \"IQ== 1\"")]
    [DataRow("IQ== 0\nIg== 2\n", "line 2: \"Ig== 2\", expected a token in base64 that was not there before, a space, and the rank 1")]
    [DataRow("IQ== 0\nIg== 1x\n", "line 2")]
    [DataRow("IQ== 0\n\nIg== 1\n", "line 2: \"\"")]
    [DataRow("IQ== 0\nI 1\n", "line 2")]
    [DataRow("IQ== 0\n", "the vocabulary lacks")]
    public void A_damaged_file_is_refused_by_name_and_line(string content, string message) =>
        Assert.Contains(message, Assert.ThrowsExactly<InvalidDataException>(() => Load(content)).Message);

    [TestMethod]
    public void More_tokens_than_Llama_3_has_are_refused()
    {
        var text = new StringBuilder();
        for (int rank = 0; rank <= 128_000; rank++)
            text.Append(Convert.ToBase64String(BitConverter.GetBytes(rank))).Append(' ').Append(rank).Append('\n');
        Assert.Contains("more than 128000 tokens, so it is not Llama 3's", Assert.ThrowsExactly<NotSupportedException>(() => Load(text.ToString())).Message);
    }

    private static ILanguageTokenizer Load(string content) => TokenizerFolder.Load([File(content)]);

    private static TokenizerFile File(string content) => new("tokenizer.model", Encoding.ASCII.GetBytes(content));
}
