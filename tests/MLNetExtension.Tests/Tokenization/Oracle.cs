using System.Text.Json.Nodes;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tests.Tokenization;

/// <summary>A <c>tokenizer.json</c> read by this library and by Hugging Face's own, which is written in Rust.</summary>
internal sealed class Oracle : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Tokenizers.DotNet.Tokenizer _theirs;
    private readonly int _suffix;

    /// <summary>Reads a file twice.</summary>
    /// <param name="json">Its content.</param>
    /// <param name="suffix">How many ids its post-processor puts behind a text.</param>
    public Oracle(string json, int suffix = 0)
    {
        _suffix = suffix;
        string path = Path.Combine(_folder.Path, "tokenizer.json");
        File.WriteAllText(path, json);
        string end = JsonNode.Parse(json)!["added_tokens"]!.AsArray().Last(token => token!["special"]!.GetValue<bool>())!["content"]!.GetValue<string>();
        File.WriteAllText(Path.Combine(_folder.Path, "tokenizer_config.json"), new JsonObject { ["eos_token"] = end }.ToJsonString());
        Ours = (HuggingFaceTokenizer)TokenizerFolder.Load(_folder.Path);
        _theirs = new Tokenizers.DotNet.Tokenizer(vocabPath: path);
    }

    public HuggingFaceTokenizer Ours { get; }

    /// <summary>GPT-2's golden file with another pattern.</summary>
    public static Oracle WithPattern(string pattern)
    {
        JsonNode json = JsonNode.Parse(Golden.Json("gpt2"))!;
        json["pre_tokenizer"] = new JsonObject
        {
            ["type"] = "Sequence",
            ["pretokenizers"] = new JsonArray(
                new JsonObject { ["type"] = "Split", ["pattern"] = new JsonObject { ["Regex"] = pattern }, ["behavior"] = "Isolated", ["invert"] = false },
                new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = false }),
        };
        return new Oracle(json.ToJsonString());
    }

    /// <summary>The ids that Hugging Face's library gives, without those that its post-processor adds.</summary>
    public int[] Encode(string text) => [.. _theirs.Encode(text).Select(id => (int)id).Skip(Ours.BeginningOfTextId is null ? 0 : 1).SkipLast(_suffix)];

    /// <summary>The text that Hugging Face's library gives, without special tokens.</summary>
    public string Decode(IEnumerable<int> ids) => _theirs.Decode([.. ids.Select(id => (uint)id)]);

    public void AssertEqual(string text) =>
        Assert.IsTrue(Encode(text).SequenceEqual(Ours.EncodeToIds(text)), $"\"{(text.Length > 100 ? text[..100] : text)}\" gives other ids.");

    public void Dispose() => _folder.Dispose();
}
