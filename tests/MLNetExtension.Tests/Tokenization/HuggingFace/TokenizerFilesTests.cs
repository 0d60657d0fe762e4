using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tests.Tokenization.HuggingFace;

[TestClass]
public sealed class TokenizerFilesTests
{
    [TestMethod]
    [Timeout(20_000)]
    public void Thousands_of_added_tokens_are_found_in_linear_time()
    {
        const int Count = 50_000;
        var tokens = Enumerable.Range(0, Count).Select(i => $$"""{"id":{{1000 + i}},"content":"<t{{i}}>","special":false}""");
        HuggingFaceTokenizer tokenizer = HuggingFaceTokenizer.Create([File("tokenizer.json", Changed(Golden.Json("gpt2"), "added_tokens", $$"""[{"id":445,"content":"<|endoftext|>","special":true},{{string.Join(',', tokens)}}]"""))]);
        int[] ids = [.. tokenizer.EncodeText(string.Concat(Enumerable.Range(0, Count).Select(i => $"<t{i}>")))];
        CollectionAssert.AreEqual(Enumerable.Range(1000, Count).ToArray(), ids);
    }

    // On the old code the map was never read: the end of a text was the first of the usual ones.
    [TestMethod]
    public void The_map_of_special_tokens_names_what_the_configuration_does_not()
    {
        TokenizerFile json = File("tokenizer.json", Golden.Json("llama3")), map = File("special_tokens_map.json", """{"bos_token":{"content":"<|begin_of_text|>"},"eos_token":"<|eot_id|>"}""");
        IReadOnlyDictionary<string, int> ids = Golden.Tokenizer("llama3").SpecialTokens;
        Assert.AreEqual(ids["<|end_of_text|>"], HuggingFaceTokenizer.Create([json]).EndOfTextId);
        Assert.AreEqual(ids["<|eot_id|>"], HuggingFaceTokenizer.Create([json, map]).EndOfTextId);
        Assert.AreEqual(ids["<|end_header_id|>"], HuggingFaceTokenizer.Create([json, map, File("tokenizer_config.json", """{"eos_token":"<|end_header_id|>"}""")]).EndOfTextId);
    }

    // As DeepSeek's folders have it: the template adds none, and the Python class does. On the old code the folder was refused.
    [TestMethod]
    [DataRow("gpt2", "true", "<|endoftext|>")]
    [DataRow("llama3", "false", null)]
    public void The_Python_classes_of_Llama_put_the_beginning_in_front_as_the_configuration_says(string style, string adds, string? beginning)
    {
        string settings = $$"""{"eos_token":"{{(style == "gpt2" ? "<|endoftext|>" : "<|eot_id|>")}}","bos_token":"{{beginning ?? "<|begin_of_text|>"}}","add_bos_token":{{adds}},"tokenizer_class":"LlamaTokenizerFast"}""";
        HuggingFaceTokenizer tokenizer = HuggingFaceTokenizer.Create([File("tokenizer.json", Golden.Json(style)), File("tokenizer_config.json", settings)]);
        int? expected = beginning is null ? null : tokenizer.SpecialTokens[beginning];
        Assert.AreEqual(expected, tokenizer.BeginningOfTextId);
    }

    // As save_pretrained leaves them after a call with truncation or padding; rows are truncated and padded elsewhere.
    [TestMethod]
    public void Truncation_and_padding_change_no_ids()
    {
        string json = Changed(Golden.Json("gpt2"), "truncation", """{"direction":"Right","max_length":3,"strategy":"LongestFirst","stride":0}""");
        json = Changed(json, "padding", """{"strategy":{"Fixed":8},"direction":"Right","pad_to_multiple_of":null,"pad_id":0,"pad_type_id":0,"pad_token":"a"}""");
        HuggingFaceTokenizer tokenizer = HuggingFaceTokenizer.Create([File("tokenizer.json", json)]);

        foreach (string text in Golden.Texts)
            CollectionAssert.AreEqual(Golden.Tokenizer("gpt2").EncodeToIds(text).ToArray(), tokenizer.EncodeToIds(text).ToArray());
    }

    [TestMethod]
    public void A_tokenizer_json_that_cannot_be_read_gives_way_to_the_tokenizer_model_beside_it()
    {
        TokenizerFile model = new("tokenizer.model", System.IO.File.ReadAllBytes(Path.Combine(Golden.Folder, "sentencepiece", "llama.model")));
        TokenizerFile json = File("tokenizer.json", Changed(Golden.Json("gpt2"), "decoder", """{"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Fuse"}]}"""));
        CollectionAssert.AreEqual(TokenizerFolder.Load([model]).EncodeText("The cat").ToArray(), TokenizerFolder.Load([json, model]).EncodeText("The cat").ToArray());

        // A tokenizer.json that can be read comes first, and where neither can be, both are named.
        Assert.IsInstanceOfType<HuggingFaceTokenizer>(TokenizerFolder.Load([File("tokenizer.json", Golden.Json("gpt2")), model]));
        string message = Assert.ThrowsExactly<InvalidDataException>(() => TokenizerFolder.Load([json, new TokenizerFile("tokenizer.model", new byte[] { 255 })])).Message;
        Assert.Contains("only one of 'pre_tokenizer' and 'decoder' is ByteLevel", message);
        Assert.Contains("tokenizer.model cannot be read", message);
    }

    [TestMethod]
    public void Both_forms_of_merges_and_single_digits_are_read()
    {
        string pairs = Changed(Golden.Json("gpt2"), "model.merges", JsonSerializer.Serialize(Merges("gpt2").Select(merge => merge.Split(' '))));
        string digits = """{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"ByteLevel","add_prefix_space":false}]}""";
        HuggingFaceTokenizer fromPairs = HuggingFaceTokenizer.Create([File("tokenizer.json", pairs)]);
        HuggingFaceTokenizer single = HuggingFaceTokenizer.Create([File("tokenizer.json", Changed(pairs, "pre_tokenizer", digits))]);

        foreach (string text in Golden.Texts)
            CollectionAssert.AreEqual(Golden.Tokenizer("gpt2").EncodeToIds(text).ToArray(), fromPairs.EncodeToIds(text).ToArray());
        CollectionAssert.AreEqual((int[])[.. "12 345".SelectMany(c => single.EncodeText(c.ToString()))], single.EncodeText("12 345").ToArray());
    }

    [TestMethod]
    public void Vocabulary_and_merges_are_GPT_2()
    {
        string vocabulary = JsonNode.Parse(Golden.Json("gpt2"))!["model"]!["vocab"]!.ToJsonString();
        TokenizerFile[] files = [File("vocab.json", vocabulary), File("merges.txt", "#version: 0.2\n" + string.Join('\n', Merges("gpt2")) + "\n")];
        var tokenizer = (HuggingFaceTokenizer)TokenizerFolder.Load(files);

        foreach (string text in Golden.Texts.Where(text => !text.Replace("<|endoftext|>", "").Contains("<|end", StringComparison.Ordinal)))
            CollectionAssert.AreEqual(Golden.Tokenizer("gpt2").EncodeToIds(text).ToArray(), tokenizer.EncodeToIds(text).ToArray());
        Assert.AreEqual(Golden.Tokenizer("gpt2").EndOfTextId, tokenizer.EndOfTextId);

        var error = Assert.ThrowsExactly<InvalidDataException>(() => TokenizerFolder.Load([files[0], File("merges.txt", "a b\nc\n")]));
        Assert.AreEqual("merges.txt, line 2: \"c\", expected two tokens with a space between them.", error.Message);
        Assert.Contains("merges.txt is missing", Assert.ThrowsExactly<InvalidDataException>(() => TokenizerFolder.Load([files[0]])).Message);
    }

    [TestMethod]
    public void What_was_saved_comes_back()
    {
        using var folder = new TemporaryFolder();
        foreach (string style in Golden.Styles)
        {
            HuggingFaceTokenizer tokenizer = Golden.Tokenizer(style);
            string path = Path.Combine(folder.Path, style);
            TokenizerFolder.Save(tokenizer, path);
            var loaded = (HuggingFaceTokenizer)TokenizerFolder.Load(path);
            CollectionAssert.AreEqual(tokenizer.EncodeToIds(Golden.Corpus).ToArray(), loaded.EncodeToIds(Golden.Corpus).ToArray());
            Assert.AreEqual((tokenizer.EndOfTextId, tokenizer.BeginningOfTextId), (loaded.EndOfTextId, loaded.BeginningOfTextId));
            Assert.AreEqual(tokenizer.ChatTemplateSource, loaded.ChatTemplateSource);
        }

        Assert.Contains(folder.Path, Assert.ThrowsExactly<InvalidDataException>(() => TokenizerFolder.Load(folder.Path)).Message);
        Assert.ThrowsExactly<DirectoryNotFoundException>(() => TokenizerFolder.Load(Path.Combine(folder.Path, "none")));
    }

    // A folder is read by the first kind of tokenizer that it has: that of an earlier tokenizer would be read in place of the saved one.
    [TestMethod]
    public void A_tokenizer_that_is_saved_over_one_of_another_kind_is_the_one_that_is_read()
    {
        using var folder = new TemporaryFolder();
        folder.Write("notes.txt", "mine");
        TokenizerFolder.Save(TestTokenizers.Load("qwen2"), folder.Path);
        TokenizerFolder.Save(TestTokenizers.Load("unigram"), folder.Path);

        CollectionAssert.AreEqual(new[] { "notes.txt", "tokenizer.model" }, folder.Names);
        CollectionAssert.AreEqual(TestTokenizers.Load("unigram").EncodeText("one text").ToArray(), TokenizerFolder.Load(folder.Path).EncodeText("one text").ToArray());
    }

    [TestMethod]
    public void The_tokenizer_of_bytes_is_saved_as_a_file_that_others_read()
    {
        using var folder = new TemporaryFolder();
        var bytes = new ByteLevelTokenizer();
        TokenizerFolder.Save(bytes, folder.Path);
        var loaded = (HuggingFaceTokenizer)TokenizerFolder.Load(folder.Path);
        var rust = new Tokenizers.DotNet.Tokenizer(vocabPath: Path.Combine(folder.Path, "tokenizer.json"));

        Assert.AreEqual((bytes.VocabularySize, ByteLevelTokenizer.EndOfTextId, (int?)null), (loaded.VocabularySize, loaded.EndOfTextId, loaded.BeginningOfTextId));
        foreach (string text in Golden.Texts)
        {
            int[] expected = [.. bytes.EncodeText(text)];
            CollectionAssert.AreEqual(expected, loaded.EncodeText(text).ToArray());
            Assert.AreEqual(text, loaded.Decode(expected));
            if (!text.Contains(ByteLevelTokenizer.EndOfText, StringComparison.Ordinal))
                CollectionAssert.AreEqual(expected, rust.Encode(text).Select(id => (int)id).ToArray());
        }

        Assert.AreEqual((uint)ByteLevelTokenizer.EndOfTextId, rust.Encode(ByteLevelTokenizer.EndOfText).Single());
    }

    [TestMethod]
    public void No_part_of_a_text_is_lost_between_words()
    {
        var splitter = new PatternPreTokenizer([@"\p{L}+"]);
        Texts.ForAll(Texts.Any, text => string.Concat(splitter.PreTokenize(text).Select(word => text.Substring(word.Offset, word.Length))) == text);
    }

    private static string[] Merges(string style) => [.. JsonNode.Parse(Golden.Json(style))!["model"]!["merges"]!.AsArray().Select(merge => merge!.GetValue<string>())];

    internal static TokenizerFile File(string name, string content) => new(name, Encoding.UTF8.GetBytes(content));

    internal static string Changed(string json, string path, string value)
    {
        JsonNode root = JsonNode.Parse(json)!;
        string[] keys = path.Split('.');
        JsonNode node = keys[..^1].Aggregate(root, (parent, key) => parent is JsonArray list ? list[int.Parse(key)]! : parent[key]!);
        if (node is JsonArray array)
            array[int.Parse(keys[^1])] = JsonNode.Parse(value);
        else
            node[keys[^1]] = JsonNode.Parse(value);

        return root.ToJsonString();
    }
}
