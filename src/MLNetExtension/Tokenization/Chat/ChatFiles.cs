using System.Text;
using System.Text.Json;
using MLNetExtension.Files;

namespace MLNetExtension.Tokenization.Chat;

/// <summary>What a tokenizer's files say of chats.</summary>
/// <param name="Template">The chat template; null where there is none.</param>
/// <param name="ToolTemplate">The template for chats with tools, where there is one of its own.</param>
/// <param name="NamedTokens">The special tokens that templates write by name, such as <c>bos_token</c>.</param>
internal sealed record ChatFiles(string? Template, string? ToolTemplate, IReadOnlyDictionary<string, string> NamedTokens)
{
    /// <summary>The file with the template alone, as newer models have it; it comes before the others.</summary>
    public const string TemplateFileName = "chat_template.jinja";

    /// <summary>The file that models of several media have, with the template as its <c>chat_template</c>; it comes last.</summary>
    public const string JsonFileName = "chat_template.json";

    private const string ConfigurationFileName = "tokenizer_config.json", MapFileName = "special_tokens_map.json", Key = "chat_template";

    private static readonly string[] Names = ["bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"];

    private static readonly ChatFiles None = new(null, null, new Dictionary<string, string>());

    /// <summary>Reads the files.</summary>
    /// <exception cref="InvalidDataException">A file is damaged; the message names it.</exception>
    public static ChatFiles Read(IReadOnlyList<TokenizerFile> files)
    {
        ChatFiles configuration = Read(files, ConfigurationFileName);
        ChatFiles others = configuration.Template is null ? Read(files, JsonFileName) : configuration;
        string? own = files.FirstOrDefault(file => file.Name == TemplateFileName) is { } jinja ? Encoding.UTF8.GetString(jinja.Content.Span).TrimStart('\uFEFF') : null;
        // What the configuration names comes first; the map is of older models.
        var tokens = new Dictionary<string, string>(Read(files, MapFileName).NamedTokens);
        foreach ((string name, string token) in configuration.NamedTokens)
            tokens[name] = token;
        return new ChatFiles(own ?? others.Template, own is null ? others.ToolTemplate : null, tokens);
    }

    private static ChatFiles Read(IReadOnlyList<TokenizerFile> files, string name) =>
        files.FirstOrDefault(file => file.Name == name) is { } file ? JsonFile.Read(file.Content, name, root => Read(new JsonObjectReader(root, name))) : None;

    private static ChatFiles Read(JsonObjectReader root)
    {
        var tokens = new Dictionary<string, string>();
        foreach (string name in Names)
        {
            if (ReadToken(root, name) is { } token)
                tokens[name] = token;
        }

        // One template, or a list of named ones.
        if (root.Find(Key) is not { ValueKind: JsonValueKind.Array })
            return new ChatFiles(root.FindString(Key), null, tokens);
        IReadOnlyList<JsonObjectReader> named = root.GetObjects(Key);
        return new ChatFiles(Named("default"), Named("tool_use"), tokens);

        string? Named(string name) => named.FirstOrDefault(item => item.FindString("name") == name)?.GetString("template");
    }

    // A token is written as its characters, or as an object that has them as its content.
    private static string? ReadToken(JsonObjectReader root, string name) =>
        root.Find(name) is { ValueKind: JsonValueKind.Object } ? root.GetObject(name).FindString("content") : root.FindString(name);
}
