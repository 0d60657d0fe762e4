using System.Globalization;
using System.Numerics;
using System.Text.Json;
using MLNetExtension.Tokenization.Chat.Jinja;

namespace MLNetExtension.Tokenization.Chat;

/// <summary>What a template is given: the messages and the tools as Python's values, whose texts remember which message they are from.</summary>
internal sealed class ChatVariables
{
    /// <summary>The source of texts from the list of tools.</summary>
    public const int Tools = -2;

    private readonly IReadOnlyDictionary<string, string> _namedTokens;
    private readonly List<object?> _messages = [];
    private readonly object? _tools;

    /// <param name="chat">The chat.</param>
    /// <param name="namedTokens">The special tokens that templates write by name.</param>
    public ChatVariables(ChatConversation chat, IReadOnlyDictionary<string, string> namedTokens)
    {
        _namedTokens = namedTokens;
        foreach (ChatMessage message in chat.Messages)
            _messages.Add(Message(message, _messages.Count));
        _tools = chat.Tools is { } tools ? Value(tools, new TextOrigin(Tools)) : null;
        Length = 1_000 + chat.Messages.Sum(message => 100L + message.Content.Length + message.More.Values.Sum(Size)) + (chat.Tools is { } list ? Size(list) : 0);
    }

    /// <summary>The number of characters, for a budget.</summary>
    public long Length { get; }

    /// <summary>The number of messages.</summary>
    public int Count => _messages.Count;

    /// <summary>Gives the variables of a rendering.</summary>
    /// <param name="count">How many of the messages there are.</param>
    /// <param name="addGenerationPrompt">Whether the assistant is to go on.</param>
    /// <param name="answer">A message behind them; null for none.</param>
    public Dictionary<string, object?> Create(int count, bool addGenerationPrompt, ChatMessage? answer = null)
    {
        var variables = new Dictionary<string, object?>
        {
            ["messages"] = new PythonSequence([.. _messages.Take(count), .. answer is null ? (object?[])[] : [Message(answer, count)]]),
            ["tools"] = _tools,
            ["documents"] = null,
            ["add_generation_prompt"] = addGenerationPrompt,
        };
        foreach ((string name, string token) in _namedTokens)
            variables[name] = TracedText.Of(token);
        return variables;
    }

    /// <summary>Makes a value of JSON.</summary>
    internal static object? Value(JsonElement element, TextOrigin origin) => element.ValueKind switch
    {
        JsonValueKind.String => TracedText.Of(element.GetString()!, origin),
        JsonValueKind.Number => Number(element.GetRawText()),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Array => new PythonSequence([.. element.EnumerateArray().Select(item => Value(item, origin))]),
        JsonValueKind.Object => Object(element, origin),
        _ => null,
    };

    private static PythonDictionary Message(ChatMessage message, int index)
    {
        var origin = new TextOrigin(index);
        var values = new PythonDictionary();
        // The role is one of a few words, and the template's as much as the chat's.
        values.Set(TracedText.Of("role"), TracedText.Of(message.Role));
        values.Set(TracedText.Of("content"), message.HasContent ? TracedText.Of(message.Content, origin) : null);
        foreach ((string name, JsonElement value) in message.More)
            values.Set(TracedText.Of(name), Value(value, origin));
        return values;
    }

    private static PythonDictionary Object(JsonElement element, TextOrigin origin)
    {
        var values = new PythonDictionary();
        foreach (JsonProperty property in element.EnumerateObject())
            values.Set(TracedText.Of(property.Name, origin), Value(property.Value, origin));
        return values;
    }

    // Python's whole numbers have no end, and its others a point or an exponent.
    private static object Number(string text)
    {
        if (text.AsSpan().IndexOfAny(".eE") >= 0)
            return PythonFloat.Read(text)!;
        return long.TryParse(text, CultureInfo.InvariantCulture, out long number) ? number : (object)BigInteger.Parse(text, CultureInfo.InvariantCulture);
    }

    private static long Size(JsonElement element) => element.GetRawText().Length;
}
