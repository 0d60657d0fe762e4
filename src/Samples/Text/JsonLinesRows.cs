using System.Text.Json;

namespace Samples.Text;

/// <summary>A file with a JSON object in every line; the first object decides which properties are read.</summary>
internal static class JsonLinesRows
{
    public static IEnumerable<SourceRow> Read(string file, RowColumns columns)
    {
        ChosenColumns? chosen = null;
        foreach ((JsonElement row, RowPlace place) in ReadObjects(file))
        {
            chosen ??= columns.Choose([.. row.EnumerateObject().Select(property => property.Name)], $"{file}, row {place.Line}");
            string? prompt = chosen.Prompt is null ? null : GetText(row, chosen.Prompt, place);
            yield return new SourceRow(chosen.Kind, prompt, GetText(row, chosen.Text, place, chosen.Kind == RowKind.Chats), place)
            {
                Order = chosen.Order is null ? double.NaN : GetNumber(row, chosen.Order, place),
            };
        }
    }

    /// <summary>Reads the object of every line that is not empty; each is valid until the next is read.</summary>
    /// <exception cref="Errors.UserErrorException">A line is no object; the message names file and row.</exception>
    public static IEnumerable<(JsonElement Object, RowPlace Place)> ReadObjects(string file)
    {
        using StreamReader reader = StrictUtf8.Open(file);
        for (long line = 1; reader.ReadLine() is { } json; line++)
        {
            if (string.IsNullOrWhiteSpace(json))
                continue;
            var place = new RowPlace(file, line, line);
            if (StrictUtf8.FindFault(json) is { } why)
                throw place.Error(why);
            using JsonDocument document = Parse(json, place);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw place.Error($"is a JSON {Kind(document.RootElement)}, not an object with named texts");
            yield return (document.RootElement, place);
        }
    }

    /// <summary>The text of a property.</summary>
    public static string GetText(JsonElement row, string name, RowPlace place, bool isChat = false)
    {
        if (!row.TryGetProperty(name, out JsonElement value))
            throw place.Error($"has no '{name}'");
        return isChat && value.ValueKind == JsonValueKind.Array ? GetChat(row, value) : GetTextOf(value, name, place);
    }

    /// <summary>The text that a value of a property is.</summary>
    public static string GetTextOf(JsonElement value, string name, RowPlace place)
    {
        if (value.ValueKind != JsonValueKind.String)
            throw place.Error($"has a {Kind(value)} in '{name}' where text is expected");
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw place.Error($"has half of a surrogate pair in '{name}', which is not text");
        }
    }

    private static string GetChat(JsonElement row, JsonElement messages) => row.TryGetProperty("tools", out JsonElement tools) && tools.ValueKind == JsonValueKind.Array
        ? $$"""{"messages": {{messages.GetRawText()}}, "tools": {{tools.GetRawText()}}}"""
        : messages.GetRawText();

    private static JsonDocument Parse(string json, RowPlace place)
    {
        try
        {
            return JsonDocument.Parse(json);
        }
        catch (JsonException e)
        {
            throw place.Error($"is not a JSON object (character {e.BytePositionInLine + 1} of the line)");
        }
    }

    private static double GetNumber(JsonElement row, string name, RowPlace place)
    {
        if (!row.TryGetProperty(name, out JsonElement value))
            throw place.Error($"has no '{name}'");
        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) ? number
            : throw place.Error($"has a {Kind(value)} in '{name}' where a number is expected");
    }

    private static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.True or JsonValueKind.False => "boolean",
        _ => value.ValueKind.ToString().ToLowerInvariant(),
    };
}
