using System.Text.Json;
using MLNetExtension.Tokenization.Chat;

namespace MLNetExtension.Data;

/// <summary>Reads a chat from JSON text: <c>[{"role": "user", "content": "..."}, ...]</c>, or with tools <c>{"messages": [...], "tools": [...]}</c>.</summary>
internal static class ChatMessages
{
    private const string Role = "role", Content = "content", Calls = "tool_calls", Messages = "messages", Tools = "tools";

    // What each of the other keys of a message holds.
    private static readonly Dictionary<string, JsonValueKind> More = new()
    {
        ["reasoning_content"] = JsonValueKind.String,
        ["thinking"] = JsonValueKind.String,
        ["name"] = JsonValueKind.String,
        ["tool_call_id"] = JsonValueKind.String,
        [Calls] = JsonValueKind.Array,
    };

    /// <summary>Reads the chat of one row.</summary>
    /// <param name="json">The text of the messages column.</param>
    /// <param name="row">The row's position in the data, from 0; for messages of errors.</param>
    /// <returns>The messages, at least one, and the tools.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="json"/> is null.</exception>
    /// <exception cref="InvalidDataException">The text is no list of messages; the message names row, message and what is expected.</exception>
    public static ChatConversation Parse(string json, long row)
    {
        ArgumentNullException.ThrowIfNull(json);
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return Read(document.RootElement, $"Row {row}");
        }
        // Half of a surrogate pair makes the parser throw one of the others, as it stands or escaped.
        catch (Exception error) when (error is JsonException or ArgumentException or InvalidOperationException)
        {
            throw new InvalidDataException($"Row {row}: messages are not valid JSON: {error.Message}", error);
        }
    }

    private static ChatConversation Read(JsonElement root, string place)
    {
        JsonElement list = root, tools = default;
        if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty(Messages, out list))
        {
            RefuseOtherKeys(root, [Messages, Tools], place);
            if (root.TryGetProperty(Tools, out tools) && tools.ValueKind is not (JsonValueKind.Array or JsonValueKind.Null))
                throw new InvalidDataException($"{place}: '{Tools}' is {Name(tools)}, expected a list.");
        }
        else
        {
            list = root;
        }

        if (list.ValueKind != JsonValueKind.Array)
            throw new InvalidDataException($"{place}: messages are {Name(list)}, expected a list of messages.");

        if (list.GetArrayLength() == 0)
            throw new InvalidDataException($"{place}: messages are an empty list, expected at least one message.");

        IReadOnlyList<ChatMessage> messages = [.. list.EnumerateArray().Select((item, index) => Message(item, $"{place}, message {index}"))];
        return new ChatConversation(messages, tools.ValueKind == JsonValueKind.Array ? Checked(tools) : null);
    }

    private static ChatMessage Message(JsonElement item, string place)
    {
        if (item.ValueKind != JsonValueKind.Object)
            throw new InvalidDataException($"{place}: found {Name(item)}, expected an object with {Role} and {Content}.");

        RefuseOtherKeys(item, [Role, Content, .. More.Keys], place);
        string role = Text(item, Role, place);
        if (!ChatMessage.Roles.Contains(role))
            throw new InvalidDataException($"{place}: found the role '{role}'; known are {string.Join(", ", ChatMessage.Roles)}.");

        // An assistant that calls tools need not say anything.
        bool hasCalls = item.TryGetProperty(Calls, out JsonElement calls) && calls.ValueKind == JsonValueKind.Array && calls.GetArrayLength() > 0;
        bool hasContent = !hasCalls || (item.TryGetProperty(Content, out JsonElement content) && content.ValueKind != JsonValueKind.Null);
        return new ChatMessage(role, hasContent ? Text(item, Content, place) : "") { HasContent = hasContent, More = Others(item, place) };
    }

    private static Dictionary<string, JsonElement> Others(JsonElement item, string place)
    {
        var others = new Dictionary<string, JsonElement>();
        foreach ((string key, JsonValueKind kind) in More)
        {
            // As data sets of several kinds have them: keys without values.
            if (!item.TryGetProperty(key, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
                continue;
            if (value.ValueKind != kind)
                throw new InvalidDataException($"{place}: '{key}' is {Name(value)}, expected {(kind == JsonValueKind.Array ? "a list" : "a string")}.");
            others[key] = Checked(value);
        }

        return others;
    }

    private static void RefuseOtherKeys(JsonElement item, string[] known, string place)
    {
        foreach (JsonProperty property in item.EnumerateObject())
        {
            if (!known.Contains(property.Name))
                throw new InvalidDataException($"{place}: found the key '{property.Name}'; known are {string.Join(", ", known)}.");
        }
    }

    // A copy that outlives the document. Half of a surrogate pair, escaped, is found when the text is read.
    private static JsonElement Checked(JsonElement value)
    {
        CheckTexts(value);
        return value.Clone();
    }

    private static void CheckTexts(JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.String:
                value.GetString();
                break;
            case JsonValueKind.Array:
                foreach (JsonElement item in value.EnumerateArray())
                    CheckTexts(item);
                break;
            case JsonValueKind.Object:
                foreach (JsonProperty property in value.EnumerateObject())
                {
                    _ = property.Name;
                    CheckTexts(property.Value);
                }

                break;
        }
    }

    private static string Text(JsonElement item, string key, string place)
    {
        if (!item.TryGetProperty(key, out JsonElement value))
            throw new InvalidDataException($"{place}: '{key}' is missing.");

        return value.ValueKind == JsonValueKind.String ? value.GetString()! : throw new InvalidDataException($"{place}: '{key}' is {Name(value)}, expected a string.");
    }

    private static string Name(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        _ => value.GetRawText(),
    };
}
