using System.Text.Json;
using MLNetExtension.Files;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Reads the <c>tokenizer.json</c> of a byte-level model. An unknown component or option is an error that names it, and never ignored.</summary>
internal static class TokenizerJsonReader
{
    /// <summary>The file's usual name.</summary>
    public const string FileName = "tokenizer.json";

    // More than any published file has, and few enough to be read in seconds.
    private const int MaximumAddedTokens = 1 << 18;
    private const int MaximumAddedTokenLength = 256;

    /// <summary>Reads a file.</summary>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    /// <exception cref="NotSupportedException">A component or an option is not known.</exception>
    public static TokenizerDefinition Read(ReadOnlyMemory<byte> content) => JsonFile.Read(content, FileName, root => Read(new JsonObjectReader(root, FileName)));

    private static TokenizerDefinition Read(JsonObjectReader root)
    {
        root.Require("version", "\"1.0\"");
        // Left by save_pretrained after a call with either; rows are truncated and padded elsewhere.
        string[] ignored = [.. new[] { "truncation", "padding" }.Where(name => root.FindObject(name) is not null)];
        TokenizerComponents.CheckDecoder(root.GetObject("decoder"));
        (IReadOnlyList<int> prefix, IReadOnlyList<int> suffix) = TokenizerComponents.ReadTemplate(root.FindObject("post_processor"));
        TokenizerDefinition definition = ReadModel(root.GetObject("model")) with
        {
            AddedTokens = ReadAddedTokens(root),
            UsesNfc = TokenizerComponents.UsesNfc(root.FindObject("normalizer")),
            Patterns = TokenizerComponents.ReadPatterns(root.GetObject("pre_tokenizer")),
            Prefix = prefix,
            Suffix = suffix,
            Ignored = ignored,
        };
        root.RefuseUnread();
        definition.Validate(FileName);
        return definition;
    }

    private static TokenizerDefinition ReadModel(JsonObjectReader model)
    {
        model.Require("type", "\"BPE\""); // the oldest files name none
        model.Require("dropout", "0.0");
        model.Require("continuing_subword_prefix", "\"\"");
        model.Require("end_of_word_suffix", "\"\"");
        model.Require("byte_fallback", "false");

        // Nothing is unknown where every byte is a token, so these two change nothing, whatever they are.
        _ = (model.FindString("unk_token"), model.GetBoolean("fuse_unk", false));
        var definition = new TokenizerDefinition
        {
            Vocabulary = model.GetObject("vocab").ReadIds(),
            Merges = [.. model.GetItems("merges").Select((merge, rank) => ReadMerge(model, merge, rank))],
            IgnoresMerges = model.GetBoolean("ignore_merges", false),
        };
        model.RefuseUnread();
        return definition;
    }

    // Files up to 2024 write a merge as "left right", later ones as ["left", "right"].
    private static (string Left, string Right) ReadMerge(JsonObjectReader model, JsonElement merge, int rank)
    {
        string?[] pair = merge.ValueKind switch
        {
            JsonValueKind.String => (string?[])merge.GetString()!.Split(' '),
            JsonValueKind.Array => [.. merge.EnumerateArray().Select(part => part.ValueKind == JsonValueKind.String ? part.GetString() : null)],
            _ => [],
        };
        return pair is [{ Length: > 0 } left, { Length: > 0 } right]
            ? (left, right)
            : throw model.Unexpected($"merges[{rank}]", merge, "\"left right\" or [\"left\", \"right\"]");
    }

    private static AddedToken[] ReadAddedTokens(JsonObjectReader root)
    {
        int count = root.GetItems("added_tokens").Count;
        return count <= MaximumAddedTokens ? [.. root.GetObjects("added_tokens").Select(ReadAddedToken)]
            : throw new NotSupportedException($"{root.Name}: 'added_tokens' has {count} tokens, expected at most {MaximumAddedTokens}.");
    }

    private static AddedToken ReadAddedToken(JsonObjectReader token)
    {
        foreach (string option in (string[])["single_word", "lstrip", "rstrip"])
            token.Require(option, "false");

        var added = new AddedToken(token.GetInteger("id", minimum: 0), token.GetString("content"), token.GetBoolean("special", false), token.GetBoolean("normalized", true));
        token.RefuseUnread();
        return added.Content.Length <= MaximumAddedTokenLength ? added
            : throw new NotSupportedException($"{token.Name}: 'content' has {added.Content.Length} characters, expected at most {MaximumAddedTokenLength}.");
    }
}
