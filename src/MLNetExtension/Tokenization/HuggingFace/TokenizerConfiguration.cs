using System.Text;
using System.Text.Json;
using MLNetExtension.Files;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>The special tokens and the chat template that <c>tokenizer_config.json</c> names.</summary>
/// <remarks>Its other settings select and configure Python classes, and are not read.</remarks>
/// <param name="BeginningOfText">The token that begins a text.</param>
/// <param name="EndOfText">The token that ends a text.</param>
/// <param name="ChatTemplate">The chat template, a Jinja program, which is recognized and never run.</param>
/// <param name="AddsBeginning">Whether the file says that a text gets its beginning token; null where it says nothing.</param>
internal sealed record TokenizerConfiguration(string? BeginningOfText, string? EndOfText, string? ChatTemplate, bool? AddsBeginning)
{
    /// <summary>The file's usual name.</summary>
    public const string FileName = "tokenizer_config.json";

    /// <summary>The file that newer models have for the template alone.</summary>
    public const string TemplateFileName = "chat_template.jinja";

    private static readonly string[] UsualEnds = ["<|endoftext|>", "<|end_of_text|>", "<|im_end|>"];

    /// <summary>Reads the files; where there is none, the end of a text is the first of the usual names that is a token.</summary>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    /// <exception cref="NotSupportedException">It says that a text gets its end here.</exception>
    public static TokenizerConfiguration Read(IReadOnlyList<TokenizerFile> files, IEnumerable<AddedToken> tokens)
    {
        var contents = tokens.Select(token => token.Content).ToHashSet();
        string? usualEnd = UsualEnds.FirstOrDefault(contents.Contains);
        string? template = files.FirstOrDefault(file => file.Name == TemplateFileName) is { } jinja ? Encoding.UTF8.GetString(jinja.Content.Span) : null;
        if (files.FirstOrDefault(file => file.Name == FileName) is not { } configuration)
            return new TokenizerConfiguration(null, usualEnd, template, null);

        return JsonFile.Read(configuration.Content, FileName, root => Read(new JsonObjectReader(root, FileName), usualEnd, template));
    }

    /// <summary>Writes the file of a tokenizer that only ends its texts; Python's library loads a tokenizer with it.</summary>
    public static TokenizerFile Write(string endOfText) => new(FileName, JsonSerializer.SerializeToUtf8Bytes(
        new Dictionary<string, string> { ["tokenizer_class"] = "PreTrainedTokenizerFast", ["eos_token"] = endOfText }));

    private static TokenizerConfiguration Read(JsonObjectReader root, string? usualEnd, string? template)
    {
        root.Require("add_eos_token", "false"); // what makes examples ends them
        bool? addsBeginning = root.Find("add_bos_token") is null ? null : root.GetBoolean("add_bos_token", false);
        return new TokenizerConfiguration(ReadToken(root, "bos_token"), ReadToken(root, "eos_token") ?? usualEnd, ReadTemplate(root) ?? template, addsBeginning);
    }

    // A token is written as its characters, or as an object that has them as its content.
    private static string? ReadToken(JsonObjectReader root, string key) =>
        root.Find(key) is { ValueKind: JsonValueKind.Object } ? root.GetObject(key).FindString("content") : root.FindString(key);

    // A template, or a list of named ones, of which the default is for chats.
    private static string? ReadTemplate(JsonObjectReader root) => root.Find("chat_template") is { ValueKind: JsonValueKind.Array }
        ? root.GetObjects("chat_template").FirstOrDefault(item => item.FindString("name") == "default")?.FindString("template")
        : root.FindString("chat_template");
}
