using System.Text.Json;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Reads a <c>tokenizer.json</c> of a byte-level model. What it does not know, it refuses by name: nothing is passed over.</summary>
internal static class TokenizerJsonReader
{
    /// <summary>The file's usual name.</summary>
    public const string FileName = "tokenizer.json";

    /// <exception cref="InvalidDataException">A component or an option is not known, or is damaged.</exception>
    public static TokenizerDefinition Read(ReadOnlyMemory<byte> content)
    {
        JsonComponent root = JsonComponent.Parse(FileName, content)
            .Allow("version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model");
        root.Expect("version", "\"1.0\"", null);
        root.Expect("truncation", [null]); // rows are cut to the model's context, not here
        root.Expect("padding", [null]);
        if (root.Child("decoder") is not { } decoder)
            throw root.Refuse("has no decoder; known is ByteLevel");

        TokenizerComponents.CheckDecoder(decoder);
        JsonComponent model = root.Child("model") ?? throw root.Refuse("has no model; known is BPE");
        (IReadOnlyList<int> prefix, IReadOnlyList<int> suffix) = TokenizerComponents.Template(root.Child("post_processor"));
        TokenizerDefinition definition = Model(model) with
        {
            AddedTokens = [.. root.Children("added_tokens").Select(AddedToken)],
            IsComposed = TokenizerComponents.IsComposed(root.Child("normalizer")),
            Patterns = TokenizerComponents.Patterns(root.Child("pre_tokenizer") ?? throw root.Refuse("has no pre_tokenizer; known are ByteLevel, Sequence")),
            Prefix = prefix,
            Suffix = suffix,
        };
        definition.Check(FileName);
        return definition;
    }

    private static TokenizerDefinition Model(JsonComponent model)
    {
        // The oldest files name no type.
        if (model.Type is not (null or "BPE"))
            throw model.Unknown("BPE");

        model.Allow(
            "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges");
        model.Expect("dropout", null, "0", "0.0");
        model.Expect("continuing_subword_prefix", null, "\"\"");
        model.Expect("end_of_word_suffix", null, "\"\"");
        model.Expect("byte_fallback", null, "false");

        // Nothing is unknown where every byte is a token, so these two change nothing, whatever they are.
        _ = (model.Text("unk_token"), model.Flag("fuse_unk"));
        return new TokenizerDefinition
        {
            Vocabulary = (model.Child("vocab") ?? throw model.Refuse("has no vocab")).Integers(),
            Merges = [.. model.Elements("merges").Select((merge, rank) => Merge(model, merge, rank))],
            IgnoresMerges = model.Flag("ignore_merges"),
        };
    }

    // Files up to 2024 write a merge as "left right", later ones as ["left", "right"].
    private static (string Left, string Right) Merge(JsonComponent model, JsonElement merge, int rank)
    {
        string?[] pair = merge.ValueKind switch
        {
            JsonValueKind.String => (string?[])merge.GetString()!.Split(' '),
            JsonValueKind.Array => [.. merge.EnumerateArray().Select(part => part.ValueKind == JsonValueKind.String ? part.GetString() : null)],
            _ => [],
        };
        return pair is [{ Length: > 0 } left, { Length: > 0 } right]
            ? (left, right)
            : throw model.Refuse($"has the merge {merge.GetRawText()} at {rank}, expected \"left right\" or [\"left\", \"right\"]");
    }

    private static AddedToken AddedToken(JsonComponent token)
    {
        token.Allow("id", "content", "single_word", "lstrip", "rstrip", "normalized", "special");
        foreach (string option in (string[])["single_word", "lstrip", "rstrip"])
            token.Expect(option, "false", null);

        string? content = token.Text("content");
        return string.IsNullOrEmpty(content)
            ? throw token.Refuse("needs a 'content' that is not empty")
            : new AddedToken(token.Integer("id"), content, token.Flag("special"), token.Flag("normalized", absent: true));
    }
}
