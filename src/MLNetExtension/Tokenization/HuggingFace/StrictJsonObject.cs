using System.Text.Json;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>An object of a JSON file that is read strictly: an unknown property or a value of another type is an error that names it.</summary>
/// <param name="file">The file's name, for messages.</param>
/// <param name="path">Where the object stands in it.</param>
/// <param name="element">The object.</param>
internal sealed class StrictJsonObject(string file, string path, JsonElement element)
{
    /// <summary>The string <c>type</c>; null where there is none.</summary>
    public string? Type => GetString("type");

    /// <summary>Reads the object that a file holds.</summary>
    /// <exception cref="InvalidDataException">The content is no JSON object, or has a key twice.</exception>
    public static StrictJsonObject Parse(string file, ReadOnlyMemory<byte> content)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(content, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return new StrictJsonObject(file, "", document.RootElement.Clone()).RequireObject();
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{file} is not valid JSON: {error.Message}", error);
        }
    }

    /// <summary>Refuses properties that are not among <paramref name="known"/>.</summary>
    public StrictJsonObject AllowOnly(params string[] known)
    {
        foreach (JsonProperty property in element.EnumerateObject())
        {
            if (!known.Contains(property.Name))
                throw Error($"has the option '{property.Name}'; known are {string.Join(", ", known)}");
        }

        return this;
    }

    /// <summary>The object of this name; null where it is null or absent.</summary>
    public StrictJsonObject? GetObject(string name) =>
        GetProperty(name) is { } value ? new StrictJsonObject(file, GetPath(name), value).RequireObject() : null;

    /// <summary>The objects of a list; none where it is null or absent.</summary>
    public IEnumerable<StrictJsonObject> GetObjects(string name) =>
        GetItems(name).Select((item, index) => new StrictJsonObject(file, $"{GetPath(name)}[{index}]", item).RequireObject());

    /// <summary>The items of a list; none where it is null or absent.</summary>
    public IEnumerable<JsonElement> GetItems(string name)
    {
        if (GetProperty(name) is not { } list)
            return [];

        return list.ValueKind == JsonValueKind.Array ? list.EnumerateArray() : throw Unexpected(name, list, "a list");
    }

    /// <summary>Reads all properties of this object as integers: a vocabulary.</summary>
    public Dictionary<string, int> ReadIds()
    {
        var integers = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (JsonProperty property in element.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.Number || !property.Value.TryGetInt32(out int id))
                throw Unexpected(property.Name, property.Value, "an id");

            integers.Add(property.Name, id);
        }

        return integers;
    }

    /// <summary>A string; null where it is null or absent.</summary>
    public string? GetString(string name) => GetProperty(name) is not { } value ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString() : throw Unexpected(name, value, "a string");

    /// <summary>True or false; <paramref name="absent"/> where it is null or absent.</summary>
    public bool GetBoolean(string name, bool absent = false) => GetProperty(name) is not { } value ? absent
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Unexpected(name, value, "true or false");

    /// <summary>An integer that must be there.</summary>
    public int GetInteger(string name) => GetProperty(name) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out int number)
        ? number : throw Error($"needs the integer '{name}'");

    /// <summary>Any value; null where it is null or absent.</summary>
    public JsonElement? GetProperty(string name) =>
        element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>Refuses a value that changes how text is encoded in a way that this library does not know.</summary>
    public void RequireOneOf(string name, params string?[] known)
    {
        string? found = GetProperty(name)?.GetRawText();
        if (!known.Contains(found))
            throw Error($"has '{name}': {found ?? "null"}; known is {string.Join(" or ", known.Select(value => value ?? "null"))}");
    }

    /// <summary>Creates the error for a type that is not known.</summary>
    public InvalidDataException UnknownType(params string[] known) =>
        Error(Type is null ? $"has no 'type'; known are {string.Join(", ", known)}" : $"has the type '{Type}'; known are {string.Join(", ", known)}");

    /// <summary>Creates an error about this object.</summary>
    public InvalidDataException Error(string message) => new($"{file}: {(path.Length == 0 ? "the file" : path)} {message}.");

    private StrictJsonObject RequireObject() => element.ValueKind == JsonValueKind.Object ? this : throw Error($"is {Describe(element)}, expected an object");

    private InvalidDataException Unexpected(string name, JsonElement value, string expected) => Error($"has '{name}': {Describe(value)}, expected {expected}");

    private string GetPath(string name) => path.Length == 0 ? name : $"{path}.{name}";

    private static string Describe(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.Number => $"the number {value.GetRawText()}",
        JsonValueKind.String => $"the string \"{value.GetString()}\"",
        _ => value.GetRawText(),
    };
}
