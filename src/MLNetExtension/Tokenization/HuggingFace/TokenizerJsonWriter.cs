using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Writes the definition of a byte-level tokenizer as a <c>tokenizer.json</c> that other libraries read too.</summary>
internal static class TokenizerJsonWriter
{
    private static readonly JsonSerializerOptions Options = new() { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes a tokenizer.</summary>
    /// <param name="model">Its tokens and merges, in the characters of <see cref="Bytes.ByteAlphabet"/>.</param>
    /// <param name="addedTokens">The tokens that are looked for in the text.</param>
    /// <param name="pattern">The pattern that splits text into words.</param>
    /// <param name="beginning">The added token that is put in front of a text; null for none.</param>
    public static TokenizerFile Write(BytePairModel model, IReadOnlyList<AddedToken> addedTokens, string pattern = SplitPatterns.Gpt2, AddedToken? beginning = null)
    {
        JsonObject json = new()
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = new JsonArray([.. addedTokens.Select(AddedToken)]),
            ["normalizer"] = null,
            ["pre_tokenizer"] = PreTokenizer(pattern),
            ["post_processor"] = beginning is null ? ByteLevel(addsPrefixSpace: true, usesPattern: true) : Template(beginning),
            ["decoder"] = ByteLevel(addsPrefixSpace: true, usesPattern: true),
            ["model"] = Model(model),
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

    private static JsonObject PreTokenizer(string pattern)
    {
        if (pattern == SplitPatterns.Gpt2)
            return ByteLevel(addsPrefixSpace: false, usesPattern: true);

        JsonObject split = new()
        {
            ["type"] = "Split",
            ["pattern"] = new JsonObject { ["Regex"] = pattern },
            ["behavior"] = "Isolated",
            ["invert"] = false,
        };
        return new JsonObject { ["type"] = "Sequence", ["pretokenizers"] = new JsonArray(split, ByteLevel(addsPrefixSpace: false, usesPattern: false)) };
    }

    /// <summary>The post-processor that puts a token in front of a text.</summary>
    public static JsonObject Template(AddedToken beginning)
    {
        return new()
        {
            ["type"] = "TemplateProcessing",
            ["single"] = new JsonArray(Special(), Sequence("A", 0)),
            ["pair"] = new JsonArray(Special(), Sequence("A", 0), Sequence("B", 1)),
            ["special_tokens"] = new JsonObject
            {
                [beginning.Content] = new JsonObject { ["id"] = beginning.Content, ["ids"] = new JsonArray(beginning.Id), ["tokens"] = new JsonArray(beginning.Content) },
            },
        };

        JsonObject Special() => new() { ["SpecialToken"] = new JsonObject { ["id"] = beginning.Content, ["type_id"] = 0 } };

        static JsonObject Sequence(string id, int type) => new() { ["Sequence"] = new JsonObject { ["id"] = id, ["type_id"] = type } };
    }

    private static JsonObject ByteLevel(bool addsPrefixSpace, bool usesPattern) => new()
    {
        ["type"] = "ByteLevel",
        ["add_prefix_space"] = addsPrefixSpace,
        ["trim_offsets"] = true,
        ["use_regex"] = usesPattern,
    };

    private static JsonObject Model(BytePairModel model) => new()
    {
        ["type"] = "BPE",
        ["dropout"] = null,
        ["unk_token"] = null,
        ["continuing_subword_prefix"] = null,
        ["end_of_word_suffix"] = null,
        ["fuse_unk"] = false,
        ["byte_fallback"] = false,
        ["ignore_merges"] = model.IgnoresMerges,
        ["vocab"] = new JsonObject(model.Vocabulary.OrderBy(entry => entry.Value).Select(entry => KeyValuePair.Create(entry.Key, (JsonNode?)entry.Value))),
        // The older of the two forms: every reader knows it, and no byte-level token has a space.
        ["merges"] = new JsonArray([.. model.Merges.Select(merge => (JsonNode)$"{merge.Left} {merge.Right}")]),
    };
}
