using System.Text.Json;
using MLNetExtension.Files;
using MLNetExtension.Tokenization.Chat;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>The special tokens that <c>tokenizer_config.json</c> names, and those that <c>special_tokens_map.json</c> adds.</summary>
/// <remarks>Their other settings select and configure Python classes, and are not read.</remarks>
/// <param name="BeginningOfText">The token that begins a text.</param>
/// <param name="EndOfText">The token that ends a text.</param>
/// <param name="AddsBeginning">Whether the file says that a text gets its beginning token; null where it says nothing.</param>
/// <param name="ReplacesTemplate">Whether what it says of that counts more than the post-processor, as it does for the Python classes of Llama.</param>
internal sealed record TokenizerConfiguration(string? BeginningOfText, string? EndOfText, bool? AddsBeginning, bool ReplacesTemplate)
{
    /// <summary>The file's usual name.</summary>
    public const string FileName = "tokenizer_config.json";

    /// <summary>The file that older models have for the special tokens.</summary>
    public const string SpecialTokensFileName = "special_tokens_map.json";

    private static readonly string[] UsualEnds = ["<|endoftext|>", "<|end_of_text|>", "<|im_end|>", "</s>", "<eos>"];

    private static readonly HashSet<string> LlamaClasses = ["LlamaTokenizer", "LlamaTokenizerFast", "CodeLlamaTokenizer", "CodeLlamaTokenizerFast", "GemmaTokenizer", "GemmaTokenizerFast"];

    /// <summary>The names of the files.</summary>
    public static IReadOnlyList<string> Names { get; } = [FileName, ChatFiles.TemplateFileName, ChatFiles.JsonFileName, SpecialTokensFileName];

    /// <summary>Reads the files; where none names the end of a text, it is the first of the usual ones that is a token.</summary>
    /// <exception cref="InvalidDataException">A file is damaged.</exception>
    /// <exception cref="NotSupportedException">It says that a text gets its end here.</exception>
    public static TokenizerConfiguration Read(IReadOnlyList<TokenizerFile> files, IEnumerable<AddedToken> tokens)
    {
        var contents = tokens.Select(token => token.Content).ToHashSet();
        var usual = new TokenizerConfiguration(null, UsualEnds.FirstOrDefault(contents.Contains), null, false);
        TokenizerConfiguration mapped = Find(files, SpecialTokensFileName) is { } map
            ? JsonFile.Read(map.Content, SpecialTokensFileName, root => usual.With(new JsonObjectReader(root, SpecialTokensFileName)))
            : usual;
        return Find(files, FileName) is { } configuration ? JsonFile.Read(configuration.Content, FileName, root => mapped.WithSettings(new JsonObjectReader(root, FileName))) : mapped;
    }

    /// <summary>Writes the file of a tokenizer that only ends its texts; Python's library loads a tokenizer with it.</summary>
    public static TokenizerFile Write(string endOfText) => new(FileName, JsonSerializer.SerializeToUtf8Bytes(
        new Dictionary<string, string> { ["tokenizer_class"] = "PreTrainedTokenizerFast", ["eos_token"] = endOfText }));

    private static TokenizerFile? Find(IReadOnlyList<TokenizerFile> files, string name) => files.FirstOrDefault(file => file.Name == name);

    private TokenizerConfiguration With(JsonObjectReader root) =>
        this with { BeginningOfText = ReadToken(root, "bos_token") ?? BeginningOfText, EndOfText = ReadToken(root, "eos_token") ?? EndOfText };

    private TokenizerConfiguration WithSettings(JsonObjectReader root)
    {
        root.Require("add_eos_token", "false"); // what makes examples ends them
        return With(root) with
        {
            AddsBeginning = root.Find("add_bos_token") is null ? null : root.GetBoolean("add_bos_token", false),
            ReplacesTemplate = root.FindString("tokenizer_class") is { } name && LlamaClasses.Contains(name),
        };
    }

    // A token is written as its characters, or as an object that has them as its content.
    private static string? ReadToken(JsonObjectReader root, string key) =>
        root.Find(key) is { ValueKind: JsonValueKind.Object } ? root.GetObject(key).FindString("content") : root.FindString(key);
}
