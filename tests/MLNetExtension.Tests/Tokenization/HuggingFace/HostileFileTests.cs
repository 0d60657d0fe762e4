using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tests.Tokenization.HuggingFace;

/// <summary>Files of <c>tokenizer.json</c> that were made to do harm.</summary>
[TestClass]
public sealed class HostileFileTests
{
    // Backtracking takes years; the limit was five seconds.
    [TestMethod]
    [DataRow("(a+)+b", false)]
    [DataRow("(a|aa)+c(?!d)", true)]
    [DataRow("(a|aa)+(?=b)", true)]
    public void An_exponential_pattern_is_matched_or_refused_within_a_second(string pattern, bool isRefused)
    {
        using Oracle oracle = Oracle.WithPattern(pattern);
        string text = new('a', 100);
        var watch = Stopwatch.StartNew();
        if (isRefused)
            Assert.Contains($"tokenizer.json: the pattern {pattern} takes too long", Assert.ThrowsExactly<NotSupportedException>(() => oracle.Ours.EncodeText(text)).Message);
        else
            Assert.AreEqual(text, oracle.Ours.Decode(oracle.Ours.EncodeText(text)));

        Assert.IsLessThan(TimeSpan.FromSeconds(1), watch.Elapsed);
    }

    [TestMethod]
    [DataRow("llama2", "byte_fallback", "<0x41>", "the vocabulary lacks '<0x41>', which 'byte_fallback' needs")]
    [DataRow("unigram_whole", "byte_fallback", "<0x41>", "the vocabulary lacks '<0x41>'")]
    [DataRow("unknown", "unk_token", "<unk>", "'unk_token' is '<unk>', which the vocabulary lacks")]
    public void A_token_that_is_needed_and_missing_is_named(string name, string option, string token, string message)
    {
        JsonNode root = Parse(name);
        Assert.IsNotNull(root["model"]![option]);
        if (root["model"]!["vocab"] is JsonArray pieces)
            pieces.First(piece => piece![0]!.GetValue<string>() == token)![0] = "zzz";
        else
            root["model"]!["vocab"]!.AsObject().Remove(token);
        root["added_tokens"]!.AsArray().RemoveAt(0);
        AssertRefused<InvalidDataException>(root, message);
    }

    [TestMethod]
    [DataRow("""["a",1e999]""", "'vocab[0]' is [\"a\",1e999], expected a text and a finite number")]
    [DataRow("""["a"]""", "'vocab[0]' is [\"a\"]")]
    [DataRow("""[1,2]""", "'vocab[0]' is [1,2]")]
    [DataRow("""["<s>",0]""", "the piece '<s>' is there twice")]
    public void A_piece_that_is_none_is_refused_by_its_place(string piece, string message)
    {
        string json = FamilyTokenizers.Of("t5").Json.Replace("""["\u003Cunk\u003E",0]""", piece, StringComparison.Ordinal);
        Assert.AreNotEqual(FamilyTokenizers.Of("t5").Json, json);
        AssertRefused<InvalidDataException>(json, message);
    }

    [TestMethod]
    [DataRow("t5", "model.unk_id", "100000", "'unk_id' is 100000, and the vocabulary has")]
    [DataRow("t5", "model.unk_id", "null", "'unk_id' is missing")]
    [DataRow("t5", "normalizer.precompiled_charsmap", "\"????\"", "'precompiled_charsmap' cannot be read")]
    [DataRow("t5", "normalizer.precompiled_charsmap", "\"/////w==\"", "damaged rules of normalization")]
    [DataRow("mistral", "pre_tokenizer.add_prefix_space", "false", "'add_prefix_space' is false, and 'prepend_scheme' says otherwise")]
    public void What_contradicts_itself_is_refused_by_name(string name, string path, string value, string message)
    {
        JsonNode root = Parse(name);
        string[] keys = path.Split('.');
        root[keys[0]]![keys[1]] = JsonNode.Parse(value);
        AssertRefused<InvalidDataException>(root, message);
    }

    // A special token that merges could make of ordinary characters, or that is a whole word, would be forged by a text.
    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void No_merge_makes_a_special_token_of_a_text(bool ignoresMerges)
    {
        JsonNode root = Parse("llama2");
        JsonObject vocabulary = root["model"]!["vocab"]!.AsObject();
        foreach (string token in (string[])["<", "/", "s", ">", "<s", "</", "s>"])
            vocabulary.TryAdd(token, vocabulary.Max(entry => entry.Value!.GetValue<int>()) + 1);
        root["model"]!["ignore_merges"] = ignoresMerges;
        root["model"]!["merges"] = JsonNode.Parse("""[["<","s"],["<s",">"],["<","/"],["s",">"],["</","s>"]]""");
        root["normalizer"] = null;
        HuggingFaceTokenizer tokenizer = HuggingFaceTokenizer.Create([File(root.ToJsonString())]);

        foreach (string mark in (string[])["<s>", "</s>", "a<s>b</s>"])
        {
            Assert.IsFalse(tokenizer.EncodeText(mark).Any(tokenizer.SpecialTokens.Values.Contains));
            Assert.IsTrue(tokenizer.EncodeToIds(mark).Any(tokenizer.SpecialTokens.Values.Contains));
        }
    }

    // A unigram model has its special tokens among its pieces, with the highest score.
    [TestMethod]
    [DataRow("t5")]
    [DataRow("xlmr")]
    [DataRow("unigram_whole")]
    public void No_piece_is_a_special_token_of_a_text(string name)
    {
        var tokenizer = (HuggingFaceTokenizer)FamilyTokenizers.Load(name);
        foreach (string mark in (string[])["<s>", "</s>", "a <s>b</s>"])
            Assert.IsFalse(tokenizer.EncodeText(mark).Any(id => id is 1 or 2));
    }

    private static JsonNode Parse(string name) => JsonNode.Parse(FamilyTokenizers.Of(name).Json)!;

    private static TokenizerFile File(string json) => new("tokenizer.json", Encoding.UTF8.GetBytes(json));

    private static void AssertRefused<TException>(JsonNode root, string message)
        where TException : Exception => AssertRefused<TException>(root.ToJsonString(), message);

    private static void AssertRefused<TException>(string json, string message)
        where TException : Exception
    {
        var error = Assert.ThrowsExactly<TException>(() => HuggingFaceTokenizer.Create([File(json)]));
        Assert.Contains(message, error.Message);
        Assert.StartsWith("tokenizer.json", error.Message);
    }
}
