using System.Text.Json;
using MLNetExtension.Tokenization.Chat;

namespace MLNetExtension.Data;

/// <summary>Reads a chat from JSON text: <c>[{"role": "user", "content": "..."}, ...]</c>.</summary>
internal static class ChatMessages
{
    private static readonly string[] Keys = ["role", "content"];

    /// <summary>Reads the chat of one row.</summary>
    /// <param name="json">The text of the messages column.</param>
    /// <param name="row">The row's position in the data, from 0; for messages of errors.</param>
    /// <returns>The messages, at least one.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="json"/> is null.</exception>
    /// <exception cref="InvalidDataException">The text is no list of messages; the message names row, message and what is expected.</exception>
    public static IReadOnlyList<ChatMessage> Parse(string json, long row)
    {
        ArgumentNullException.ThrowIfNull(json);
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
            JsonElement list = document.RootElement;
            if (list.ValueKind != JsonValueKind.Array)
                throw new InvalidDataException($"Row {row}: messages are {Name(list)}, expected a list of messages.");

            if (list.GetArrayLength() == 0)
                throw new InvalidDataException($"Row {row}: messages are an empty list, expected at least one message.");

            return [.. list.EnumerateArray().Select((item, index) => Message(item, $"Row {row}, message {index}"))];
        }
        // Half of a surrogate pair makes the parser throw one of the others, as it stands or escaped.
        catch (Exception error) when (error is JsonException or ArgumentException or InvalidOperationException)
        {
            throw new InvalidDataException($"Row {row}: messages are not valid JSON: {error.Message}", error);
        }
    }

    private static ChatMessage Message(JsonElement item, string place)
    {
        if (item.ValueKind != JsonValueKind.Object)
            throw new InvalidDataException($"{place}: found {Name(item)}, expected an object with {string.Join(" and ", Keys)}.");

        foreach (JsonProperty property in item.EnumerateObject())
        {
            if (!Keys.Contains(property.Name))
                throw new InvalidDataException($"{place}: found the key '{property.Name}'; known are {string.Join(", ", Keys)}.");
        }

        string role = Text(item, "role", place);
        return ChatMessage.Roles.Contains(role)
            ? new ChatMessage(role, Text(item, "content", place))
            : throw new InvalidDataException($"{place}: found the role '{role}'; known are {string.Join(", ", ChatMessage.Roles)}.");
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
