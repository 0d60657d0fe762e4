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
    // Unknown settings must not be ignored. Seen to fail with Allow and Expect that return at once.
    [TestMethod]
    [DataRow("gpt2", "surprise", "1", "'surprise' is not known, and may change what the model computes; known are: added_tokens, ")]
    [DataRow("gpt2", "version", "\"2.0\"", "'version' is \"2.0\", which is not supported; expected \"1.0\"")]
    [DataRow("gpt2", "normalizer", """{"type":"BertNormalizer"}""", "'normalizer': 'type' is 'BertNormalizer', which is not supported. Known are: NFC, NFD, NFKC, NFKD, Lowercase, Strip, Prepend, Replace, Precompiled, Sequence")]
    [DataRow("gpt2", "normalizer", """{"type":"Replace","pattern":{"String":""},"content":"x"}""", "'normalizer': 'pattern' is the empty text")]
    [DataRow("gpt2", "normalizer", """{"type":"Sequence","normalizers":[{"type":"Sequence","normalizers":[{"type":"Sequence","normalizers":[{"type":"Sequence","normalizers":[{"type":"Sequence","normalizers":[]}]}]}]}]}""", "nested more than 4 deep")]
    [DataRow("gpt2", "pre_tokenizer", """{"type":"BertPreTokenizer"}""", "'pre_tokenizer': 'type' is 'BertPreTokenizer', which is not supported. Known are: ByteLevel, Split, Digits, Metaspace, WhitespaceSplit, Sequence")]
    [DataRow("gpt2", "pre_tokenizer", """{"type":"Metaspace","replacement":"▁"}""", "only one of 'pre_tokenizer' and 'decoder' is ByteLevel")]
    [DataRow("gpt2", "pre_tokenizer", """{"type":"Metaspace","replacement":"__"}""", "'replacement' is '__', expected one character up to U+FFFF")]
    [DataRow("gpt2", "pre_tokenizer", """{"type":"Metaspace","replacement":"▁","prepend_scheme":"last"}""", "'prepend_scheme' is 'last', which is not supported. Known are: always, first, never")]
    [DataRow("gpt2", "pre_tokenizer", """{"type":"Sequence","pretokenizers":[{"type":"ByteLevel"},{"type":"Digits"}]}""", "ByteLevel is not the last of 'pretokenizers'")]
    [DataRow("gpt2", "pre_tokenizer.extra", "true", "'pre_tokenizer': 'extra' is not known")]
    [DataRow("gpt2", "decoder", """{"type":"WordPiece"}""", "'decoder': 'type' is 'WordPiece', which is not supported. Known are: ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace, Sequence")]
    [DataRow("gpt2", "decoder", """{"type":"Sequence","decoders":[{"type":"ByteLevel"},{"type":"Fuse"}]}""", "ByteLevel beside other decoders")]
    [DataRow("gpt2", "model.type", "\"WordLevel\"", "'model': 'type' is 'WordLevel', which is not supported. Known are: BPE, Unigram")]
    [DataRow("gpt2", "model.type", "\"WordPiece\"", "'model': 'type' is 'WordPiece', which is not supported. Known are: BPE, Unigram")]
    [DataRow("gpt2", "model.dropout", "0.1", "'dropout' is 0.1")]
    [DataRow("gpt2", "model.end_of_word_suffix", "\"_\"", "'end_of_word_suffix' is \"_\"")]
    [DataRow("gpt2", "added_tokens", """[{"id":999,"content":"<m>","upstrip":true,"special":true}]""", "'added_tokens[0]': 'upstrip' is not known")]
    [DataRow("llama3", "pre_tokenizer.pretokenizers.0.behavior", "\"Sideways\"", "'pre_tokenizer', 'pretokenizers[0]': 'behavior' is 'Sideways'")]
    [DataRow("llama3", "pre_tokenizer.pretokenizers.0.type", "\"Punctuation\"", "'type' is 'Punctuation', which is not supported. Known are: ByteLevel, Split, Digits, Metaspace, WhitespaceSplit, Sequence")]
    [DataRow("llama3", "pre_tokenizer.pretokenizers.0.pattern.Regex", "\"\\\\w+\"", "has \\w at 0")]
    [DataRow("llama3", "pre_tokenizer.pretokenizers.1", """{"type":"Digits"}""", "only one of 'pre_tokenizer' and 'decoder' is ByteLevel")]
    [DataRow("llama3", "post_processor.processors.1.type", "\"BertProcessing\"", "'type' is 'BertProcessing'")]
    public void What_is_not_known_is_refused_by_name(string style, string path, string value, string message) =>
        AssertRefused<NotSupportedException>(style, path, value, message);

    [TestMethod]
    [DataRow("gpt2", "truncation", "3", "'truncation' is 3, expected an object")]
    [DataRow("gpt2", "decoder", "null", "'decoder' is missing")]
    [DataRow("gpt2", "model.merges", """["a b c"]""", "'merges[0]' is \"a b c\", expected \"left right\"")]
    [DataRow("gpt2", "model.merges", """["a zzz"]""", "merge 0 ('a' and 'zzz') needs the token 'zzz'")]
    [DataRow("gpt2", "model.vocab", """{"a":0}""", "lacks")]
    [DataRow("gpt2", "added_tokens", """[{"id":3,"content":"<m>","special":true}]""", "have the same id, 3")]
    [DataRow("gpt2", "added_tokens", """[{"id":999,"content":"","special":true}]""", "the token with the id 999 is empty")]
    [DataRow("gpt2", "model.vocab.zzz", "2147483647", "the token 'zzz' has the id 2147483647; ids are from 0 to 16777215")]
    [DataRow("gpt2", "model.vocab.zzz", "-1", "the token 'zzz' has the id -1; ids are from 0 to 16777215")]
    [DataRow("gpt2", "model.vocab.zzz", "3", "have the same id, 3")]
    [DataRow("gpt2", "model.vocab.zzz", "1e3", "'zzz' is 1e3, expected an id")]
    [DataRow("gpt2", "added_tokens", """[{"id":2147483647,"content":"<m>","special":true}]""", "the token '<m>' has the id 2147483647")]
    [DataRow("gpt2", "added_tokens", """[{"id":-1,"content":"<m>","special":true}]""", "'added_tokens[0]': 'id' is -1")]
    [DataRow("gpt2", "added_tokens", """[{"id":900,"content":"<m>","special":true},{"id":901,"content":"<m>","special":true}]""", "the added token '<m>' is there twice")]
    [DataRow("gpt2", "added_tokens", """[{"id":900,"content":"<m>","special":true},{"id":900,"content":"<m>","special":true}]""", "the added token '<m>' is there twice")]
    [DataRow("llama3", "post_processor.processors.1.special_tokens.<|begin_of_text|>.ids", "[2147483647]", "post_processor adds the id 2147483647, which is no special token")]
    [DataRow("llama3", "post_processor.processors.1.special_tokens", "{}", "'<|begin_of_text|>' is missing")]
    public void What_contradicts_itself_is_refused_by_name(string style, string path, string value, string message) =>
        AssertRefused<InvalidDataException>(style, path, value, message);

    // Seen to fail without the limits: 10,000 steps did not end in 20 s, and 20,000 nested groups were compiled.
    [TestMethod]
    public void What_is_larger_than_any_published_file_is_refused_by_name()
    {
        const string Split = """{"type":"Digits","individual_digits":true}""";
        string steps = $"[{string.Concat(Enumerable.Repeat(Split + ",", 10_000))}{{\"type\":\"ByteLevel\",\"add_prefix_space\":false}}]";
        string tokens = string.Join(',', Enumerable.Range(1000, 262_145).Select(id => "null"));
        AssertRefused<NotSupportedException>("llama3", "pre_tokenizer.pretokenizers", steps, "'pre_tokenizer': 'pretokenizers' has 10001 components, expected at most 64");
        AssertRefused<NotSupportedException>("gpt2", "added_tokens", $"[{tokens}]", "'added_tokens' has 262145 tokens, expected at most 262144");
        AssertRefused<NotSupportedException>("gpt2", "added_tokens", $$"""[{"id":999,"content":"{{new string('x', 257)}}"}]""", "'added_tokens[0]': 'content' has 257 characters, expected at most 256");
        AssertRefused<NotSupportedException>("llama3", "pre_tokenizer.pretokenizers.0.pattern.Regex", $"\"{new string('(', 1000)}\"", "groups nested more than 100 deep");
    }

    // Half of a pair is valid to the parser, and an error only where it is read.
    [TestMethod]
    [DataRow("tokenizer.json", "\"<|endoftext|>\"")]
    [DataRow("tokenizer.json", "\"vocab\":{\"")]
    [DataRow("tokenizer.json", "\"merges\":[\"")]
    [DataRow("tokenizer_config.json", "\"eos_token\":\"")]
    [DataRow("tokenizer_config.json", "{\"")]
    public void Half_of_a_surrogate_pair_is_an_error_that_names_folder_and_file(string file, string place)
    {
        using var folder = new TemporaryFolder();
        foreach (string path in Directory.GetFiles(Golden.FolderOf("gpt2")))
        {
            string json = System.IO.File.ReadAllText(path);
            System.IO.File.WriteAllText(Path.Combine(folder.Path, Path.GetFileName(path)), Path.GetFileName(path) == file ? json.Replace(place, place.TrimEnd('"') + "\"\\uD800") : json);
        }

        string text = System.IO.File.ReadAllText(Path.Combine(folder.Path, file));
        Assert.Contains("uD800", text);
        Assert.StartsWith($"{folder.Path}: {file} is not valid JSON", Assert.ThrowsExactly<InvalidDataException>(() => TokenizerFolder.Load(folder.Path)).Message);
    }

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

    [TestMethod]
    [DataRow("{", "is not valid JSON")]
    [DataRow("[]", "is not a JSON object")]
    [DataRow("""{"version":"1.0","version":"1.0"}""", "is not valid JSON")]
    public void What_is_no_tokenizer_at_all_is_refused(string json, string message) =>
        Assert.Contains(message, Assert.ThrowsExactly<InvalidDataException>(() => HuggingFaceTokenizer.Create([File("tokenizer.json", json)])).Message);

    [TestMethod]
    [DataRow("""{"eos_token":"<none>"}""", "'eos_token' is '<none>', which tokenizer.json lacks")]
    [DataRow("""{"eos_token":"<|endoftext|>","add_bos_token":true}""", "'add_bos_token' is true")]
    [DataRow("""{"eos_token":7}""", "'eos_token' is 7, expected a string")]
    public void A_configuration_that_contradicts_the_tokenizer_is_refused(string json, string message) => Assert.Contains(
        message,
        Assert.ThrowsExactly<InvalidDataException>(() => HuggingFaceTokenizer.Create([File("tokenizer.json", Golden.Json("gpt2")), File("tokenizer_config.json", json)])).Message);

    [TestMethod]
    [DataRow("""{"eos_token":7}""", "'eos_token' is 7, expected a string")]
    [DataRow("""{"eos_token":"<|endoftext|>" """, "is not valid JSON")]
    public void A_damaged_map_of_special_tokens_is_named(string json, string message)
    {
        TokenizerFile[] files = [File("tokenizer.json", Golden.Json("gpt2")), File("special_tokens_map.json", json)];
        string actual = Assert.ThrowsExactly<InvalidDataException>(() => HuggingFaceTokenizer.Create(files)).Message;
        Assert.StartsWith("special_tokens_map.json", actual);
        Assert.Contains(message, actual);
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
    public void A_configuration_that_adds_the_end_of_a_text_is_refused()
    {
        TokenizerFile configuration = File("tokenizer_config.json", """{"eos_token":"<|endoftext|>","add_eos_token":true}""");
        Assert.Contains("'add_eos_token' is true", Assert.ThrowsExactly<NotSupportedException>(() => HuggingFaceTokenizer.Create([File("tokenizer.json", Golden.Json("gpt2")), configuration])).Message);
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
    [DataRow(@"\d+", @"\d at 0")]
    [DataRow(@"\p{Han}", @"\p{Han} at 0")]
    [DataRow(@"a++", "the possessive ++ at 1")]
    [DataRow(@"(?<n>a)", "(?< at 1")]
    [DataRow(@"[a&&b]", "& in the class at 0")]
    [DataRow(@"[a", "[ without ]")]
    [DataRow("(?i:é)", "é at 4")]
    [DataRow("[b-a]", "a range in the class at 0 that is not of two characters in order")]
    [DataRow(@"[\s-a]", "a range in the class at 0")]
    [DataRow("[a-", "[ without ]")]
    [DataRow("(?i:k)", "k in (?i:...)")]
    [DataRow("a$", "$ at 1")]
    [DataRow("a)", ") that closes nothing")]
    [DataRow("(a", "malformed")]
    public void A_pattern_that_may_mean_something_else_is_refused(string pattern, string message) =>
        Assert.Contains(message, Assert.ThrowsExactly<FormatException>(() => new PatternPreTokenizer([pattern])).Message);

    [TestMethod]
    public void No_part_of_a_text_is_lost_between_words()
    {
        var splitter = new PatternPreTokenizer([@"\p{L}+"]);
        Texts.ForAll(Texts.Any, text => string.Concat(splitter.PreTokenize(text).Select(word => text.Substring(word.Offset, word.Length))) == text);
    }

    private static void AssertRefused<TException>(string style, string path, string value, string message)
        where TException : Exception
    {
        var error = Assert.ThrowsExactly<TException>(() => HuggingFaceTokenizer.Create([File("tokenizer.json", Changed(Golden.Json(style), path, value))]));
        Assert.Contains(message, error.Message);
        Assert.StartsWith("tokenizer.json", error.Message);
    }

    private static string[] Merges(string style) => [.. JsonNode.Parse(Golden.Json(style))!["model"]!["merges"]!.AsArray().Select(merge => merge!.GetValue<string>())];

    private static TokenizerFile File(string name, string content) => new(name, Encoding.UTF8.GetBytes(content));

    private static string Changed(string json, string path, string value)
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
