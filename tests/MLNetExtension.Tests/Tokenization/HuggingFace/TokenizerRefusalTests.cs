using MLNetExtension.Tests.Samples;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tests.Tokenization.HuggingFace;

/// <summary>Files that are damaged, contradict themselves, or ask for what is not done here: an error says which and where.</summary>
[TestClass]
public sealed class TokenizerRefusalTests
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
            string json = File.ReadAllText(path);
            File.WriteAllText(Path.Combine(folder.Path, Path.GetFileName(path)), Path.GetFileName(path) == file ? json.Replace(place, place.TrimEnd('"') + "\"\\uD800") : json);
        }

        string text = File.ReadAllText(Path.Combine(folder.Path, file));
        Assert.Contains("uD800", text);
        Assert.StartsWith($"{folder.Path}: {file} is not valid JSON", Assert.ThrowsExactly<InvalidDataException>(() => TokenizerFolder.Load(folder.Path)).Message);
    }

    [TestMethod]
    [DataRow("{", "is not valid JSON")]
    [DataRow("[]", "is not a JSON object")]
    [DataRow("""{"version":"1.0","version":"1.0"}""", "is not valid JSON")]
    public void What_is_no_tokenizer_at_all_is_refused(string json, string message) =>
        Assert.Contains(message, Assert.ThrowsExactly<InvalidDataException>(() => HuggingFaceTokenizer.Create([TokenizerFilesTests.File("tokenizer.json", json)])).Message);

    [TestMethod]
    [DataRow("""{"eos_token":"<none>"}""", "'eos_token' is '<none>', which tokenizer.json lacks")]
    [DataRow("""{"eos_token":"<|endoftext|>","add_bos_token":true}""", "'add_bos_token' is true")]
    [DataRow("""{"eos_token":7}""", "'eos_token' is 7, expected a string")]
    public void A_configuration_that_contradicts_the_tokenizer_is_refused(string json, string message) => Assert.Contains(
        message,
        Assert.ThrowsExactly<InvalidDataException>(() => HuggingFaceTokenizer.Create([TokenizerFilesTests.File("tokenizer.json", Golden.Json("gpt2")), TokenizerFilesTests.File("tokenizer_config.json", json)])).Message);

    [TestMethod]
    [DataRow("""{"eos_token":7}""", "'eos_token' is 7, expected a string")]
    [DataRow("""{"eos_token":"<|endoftext|>" """, "is not valid JSON")]
    public void A_damaged_map_of_special_tokens_is_named(string json, string message)
    {
        TokenizerFile[] files = [TokenizerFilesTests.File("tokenizer.json", Golden.Json("gpt2")), TokenizerFilesTests.File("special_tokens_map.json", json)];
        string actual = Assert.ThrowsExactly<InvalidDataException>(() => HuggingFaceTokenizer.Create(files)).Message;
        Assert.StartsWith("special_tokens_map.json", actual);
        Assert.Contains(message, actual);
    }

    [TestMethod]
    public void A_configuration_that_adds_the_end_of_a_text_is_refused()
    {
        TokenizerFile configuration = TokenizerFilesTests.File("tokenizer_config.json", """{"eos_token":"<|endoftext|>","add_eos_token":true}""");
        Assert.Contains("'add_eos_token' is true", Assert.ThrowsExactly<NotSupportedException>(() => HuggingFaceTokenizer.Create([TokenizerFilesTests.File("tokenizer.json", Golden.Json("gpt2")), configuration])).Message);
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

    private static void AssertRefused<TException>(string style, string path, string value, string message)
        where TException : Exception
    {
        var error = Assert.ThrowsExactly<TException>(() => HuggingFaceTokenizer.Create([TokenizerFilesTests.File("tokenizer.json", TokenizerFilesTests.Changed(Golden.Json(style), path, value))]));
        Assert.Contains(message, error.Message);
        Assert.StartsWith("tokenizer.json", error.Message);
    }
}
