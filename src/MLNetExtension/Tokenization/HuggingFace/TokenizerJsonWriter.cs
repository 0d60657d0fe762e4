using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Writes a definition as a <c>tokenizer.json</c> that other libraries read too.</summary>
internal static class TokenizerJsonWriter
{
    private static readonly JsonSerializerOptions Options = new() { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static TokenizerFile Write(TokenizerDefinition definition)
    {
        JsonObject json = new()
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = new JsonArray([.. definition.AddedTokens.Select(AddedToken)]),
            ["normalizer"] = definition.UsesNfc ? new JsonObject { ["type"] = "NFC" } : null,
            ["pre_tokenizer"] = PreTokenizer(definition.Patterns),
            ["post_processor"] = ByteLevel(addsPrefixSpace: true, usesPattern: true),
            ["decoder"] = ByteLevel(addsPrefixSpace: true, usesPattern: true),
            ["model"] = Model(definition),
        };
        return new TokenizerFile(TokenizerJsonReader.FileName, JsonSerializer.SerializeToUtf8Bytes(json, Options));
    }

    private static JsonObject AddedToken(AddedToken token) => new()
    {
        ["id"] = token.Id,
        ["content"] = token.Content,
        ["single_word"] = false,
        ["lstrip"] = false,
        ["rstrip"] = false,
        ["normalized"] = token.IsNormalized,
        ["special"] = token.IsSpecial,
    };

    private static JsonObject PreTokenizer(IReadOnlyList<string> patterns)
    {
        if (patterns is [SplitPatterns.Gpt2])
            return ByteLevel(addsPrefixSpace: false, usesPattern: true);
        IEnumerable<JsonObject> splits = patterns.Select(pattern => new JsonObject
        {
            ["type"] = "Split",
            ["pattern"] = new JsonObject { ["Regex"] = pattern },
            ["behavior"] = "Isolated",
            ["invert"] = false,
        });
        return new JsonObject { ["type"] = "Sequence", ["pretokenizers"] = new JsonArray([.. splits, ByteLevel(addsPrefixSpace: false, usesPattern: false)]) };
    }

    private static JsonObject ByteLevel(bool addsPrefixSpace, bool usesPattern) => new()
    {
        ["type"] = "ByteLevel",
        ["add_prefix_space"] = addsPrefixSpace,
        ["trim_offsets"] = true,
        ["use_regex"] = usesPattern,
    };

    private static JsonObject Model(TokenizerDefinition definition) => new()
    {
        ["type"] = "BPE",
        ["dropout"] = null,
        ["unk_token"] = null,
        ["continuing_subword_prefix"] = null,
        ["end_of_word_suffix"] = null,
        ["fuse_unk"] = false,
        ["byte_fallback"] = false,
        ["ignore_merges"] = definition.IgnoresMerges,
        ["vocab"] = new JsonObject(definition.Vocabulary.OrderBy(entry => entry.Value).Select(entry => KeyValuePair.Create(entry.Key, (JsonNode?)entry.Value))),
        // The older of the two forms: every reader knows it, and no byte-level token has a space.
        ["merges"] = new JsonArray([.. definition.Merges.Select(merge => (JsonNode)$"{merge.Left} {merge.Right}")]),
    };
}
