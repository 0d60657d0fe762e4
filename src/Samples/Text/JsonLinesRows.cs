using System.Text.Json;

namespace Samples.Text;

/// <summary>A file with a JSON object in every line; the first object decides which properties are read.</summary>
internal static class JsonLinesRows
{
    public static IEnumerable<SourceRow> Read(string file, RowColumns columns)
    {
        using StreamReader reader = StrictUtf8.Open(file);
        ChosenColumns? chosen = null;
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
            chosen ??= columns.Choose([.. document.RootElement.EnumerateObject().Select(property => property.Name)], $"{file}, row {line}");
            string? prompt = chosen.Prompt is null ? null : GetText(document.RootElement, chosen.Prompt, place);
            yield return new SourceRow(chosen.Kind, prompt, GetText(document.RootElement, chosen.Text, place, chosen.Kind == RowKind.Chats), place);
        }
    }

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

    private static string GetText(JsonElement row, string name, RowPlace place, bool isChat = false)
    {
        if (!row.TryGetProperty(name, out JsonElement value))
            throw place.Error($"has no '{name}'");
        if (isChat && value.ValueKind == JsonValueKind.Array)
            return row.TryGetProperty("tools", out JsonElement tools) && tools.ValueKind == JsonValueKind.Array
                ? $$"""{"messages": {{value.GetRawText()}}, "tools": {{tools.GetRawText()}}}"""
                : value.GetRawText();
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

    private static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.True or JsonValueKind.False => "boolean",
        _ => value.ValueKind.ToString().ToLowerInvariant(),
    };
}
