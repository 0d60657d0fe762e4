using System.Text.Json;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Reads the <c>tokenizer.json</c> of a byte-level model. An unknown component or option is an error that names it, and never ignored.</summary>
internal static class TokenizerJsonReader
{
    /// <summary>The file's usual name.</summary>
    public const string FileName = "tokenizer.json";

    /// <summary>Reads a file.</summary>
    /// <exception cref="InvalidDataException">A component or an option is not known, or is damaged.</exception>
    public static TokenizerDefinition Read(ReadOnlyMemory<byte> content)
    {
        StrictJsonObject root = StrictJsonObject.Parse(FileName, content)
            .AllowOnly("version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model");
        root.RequireOneOf("version", "\"1.0\"", null);
        // Left by save_pretrained after a call with either; rows are truncated and padded elsewhere.
        string[] ignored = [.. new[] { "truncation", "padding" }.Where(name => root.GetObject(name) is not null)];
        if (root.GetObject("decoder") is not { } decoder)
            throw root.Error("has no decoder; known is ByteLevel");

        TokenizerComponents.CheckDecoder(decoder);
        StrictJsonObject model = root.GetObject("model") ?? throw root.Error("has no model; known is BPE");
        (IReadOnlyList<int> prefix, IReadOnlyList<int> suffix) = TokenizerComponents.ReadTemplate(root.GetObject("post_processor"));
        TokenizerDefinition definition = ReadModel(model) with
        {
            AddedTokens = [.. root.GetObjects("added_tokens").Select(ReadAddedToken)],
            UsesNfc = TokenizerComponents.ReadUsesNfc(root.GetObject("normalizer")),
            Patterns = TokenizerComponents.ReadPatterns(root.GetObject("pre_tokenizer") ?? throw root.Error("has no pre_tokenizer; known are ByteLevel, Sequence")),
            Prefix = prefix,
            Suffix = suffix,
            Ignored = ignored,
        };
        definition.Validate(FileName);
        return definition;
    }

    private static TokenizerDefinition ReadModel(StrictJsonObject model)
    {
        // The oldest files name no type.
        if (model.Type is not (null or "BPE"))
            throw model.UnknownType("BPE");

        model.AllowOnly(
            "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges");
        model.RequireOneOf("dropout", null, "0", "0.0");
        model.RequireOneOf("continuing_subword_prefix", null, "\"\"");
        model.RequireOneOf("end_of_word_suffix", null, "\"\"");
        model.RequireOneOf("byte_fallback", null, "false");

        // Nothing is unknown where every byte is a token, so these two change nothing, whatever they are.
        _ = (model.GetString("unk_token"), model.GetBoolean("fuse_unk"));
        return new TokenizerDefinition
        {
            Vocabulary = (model.GetObject("vocab") ?? throw model.Error("has no vocab")).ReadIds(),
            Merges = [.. model.GetItems("merges").Select((merge, rank) => ReadMerge(model, merge, rank))],
            IgnoresMerges = model.GetBoolean("ignore_merges"),
        };
    }

    // Files up to 2024 write a merge as "left right", later ones as ["left", "right"].
    private static (string Left, string Right) ReadMerge(StrictJsonObject model, JsonElement merge, int rank)
    {
        string?[] pair = merge.ValueKind switch
        {
            JsonValueKind.String => (string?[])merge.GetString()!.Split(' '),
            JsonValueKind.Array => [.. merge.EnumerateArray().Select(part => part.ValueKind == JsonValueKind.String ? part.GetString() : null)],
            _ => [],
        };
        return pair is [{ Length: > 0 } left, { Length: > 0 } right]
            ? (left, right)
            : throw model.Error($"has the merge {merge.GetRawText()} at {rank}, expected \"left right\" or [\"left\", \"right\"]");
    }

    private static AddedToken ReadAddedToken(StrictJsonObject token)
    {
        token.AllowOnly("id", "content", "single_word", "lstrip", "rstrip", "normalized", "special");
        foreach (string option in (string[])["single_word", "lstrip", "rstrip"])
            token.RequireOneOf(option, "false", null);

        string? content = token.GetString("content");
        return string.IsNullOrEmpty(content)
            ? throw token.Error("needs a 'content' that is not empty")
            : new AddedToken(token.GetInteger("id"), content, token.GetBoolean("special"), token.GetBoolean("normalized", absent: true));
    }
}
