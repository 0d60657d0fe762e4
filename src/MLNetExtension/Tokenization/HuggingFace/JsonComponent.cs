using System.Text.Json;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>An object of a JSON file, read strictly: every property is asked for by name, and what nobody asks for is an error.</summary>
/// <param name="file">The file's name, for messages.</param>
/// <param name="path">Where the object stands in it.</param>
/// <param name="element">The object.</param>
internal sealed class JsonComponent(string file, string path, JsonElement element)
{
    /// <summary>The <c>type</c> of the component; null where it has none.</summary>
    public string? Type => Text("type");

    /// <summary>Reads the object that a file holds.</summary>
    /// <exception cref="InvalidDataException">The content is no JSON object, or has a key twice.</exception>
    public static JsonComponent Parse(string file, ReadOnlyMemory<byte> content)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(content, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return new JsonComponent(file, "", document.RootElement.Clone()).AsObject();
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{file} is not valid JSON: {error.Message}", error);
        }
    }

    /// <summary>Refuses properties that are not among <paramref name="known"/>.</summary>
    public JsonComponent Allow(params string[] known)
    {
        foreach (JsonProperty property in element.EnumerateObject())
        {
            if (!known.Contains(property.Name))
                throw Refuse($"has the option '{property.Name}'; known are {string.Join(", ", known)}");
        }

        return this;
    }

    /// <summary>The component of this name; null where it is null or absent.</summary>
    public JsonComponent? Child(string name) =>
        Property(name) is { } value ? new JsonComponent(file, At(name), value).AsObject() : null;

    /// <summary>The objects of a list; none where it is null or absent.</summary>
    public IEnumerable<JsonComponent> Children(string name) =>
        Elements(name).Select((item, index) => new JsonComponent(file, $"{At(name)}[{index}]", item).AsObject());

    /// <summary>The items of a list; none where it is null or absent.</summary>
    public IEnumerable<JsonElement> Elements(string name)
    {
        if (Property(name) is not { } list)
            return [];

        return list.ValueKind == JsonValueKind.Array ? list.EnumerateArray() : throw Unexpected(name, list, "a list");
    }

    /// <summary>The properties of this object whose values are integers: a vocabulary.</summary>
    public Dictionary<string, int> Integers()
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
    public string? Text(string name) => Property(name) is not { } value ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString() : throw Unexpected(name, value, "a string");

    /// <summary>True or false; <paramref name="absent"/> where it is null or absent.</summary>
    public bool Flag(string name, bool absent = false) => Property(name) is not { } value ? absent
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Unexpected(name, value, "true or false");

    /// <summary>An integer that must be there.</summary>
    public int Integer(string name) => Property(name) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out int number)
        ? number : throw Refuse($"needs the integer '{name}'");

    /// <summary>Any value; null where it is null or absent.</summary>
    public JsonElement? Property(string name) =>
        element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>Refuses a value that changes how text is encoded in a way that this library does not know.</summary>
    public void Expect(string name, params string?[] known)
    {
        string? found = Property(name)?.GetRawText();
        if (!known.Contains(found))
            throw Refuse($"has '{name}': {found ?? "null"}; known is {string.Join(" or ", known.Select(value => value ?? "null"))}");
    }

    /// <summary>Says that the component is none of those known.</summary>
    public InvalidDataException Unknown(params string[] known) =>
        Refuse(Type is null ? $"has no 'type'; known are {string.Join(", ", known)}" : $"has the type '{Type}'; known are {string.Join(", ", known)}");

    /// <summary>An error about this component.</summary>
    public InvalidDataException Refuse(string message) => new($"{file}: {(path.Length == 0 ? "the file" : path)} {message}.");

    private JsonComponent AsObject() => element.ValueKind == JsonValueKind.Object ? this : throw Refuse($"is {Name(element)}, expected an object");

    private InvalidDataException Unexpected(string name, JsonElement value, string expected) => Refuse($"has '{name}': {Name(value)}, expected {expected}");

    private string At(string name) => path.Length == 0 ? name : $"{path}.{name}";

    private static string Name(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.Number => $"the number {value.GetRawText()}",
        JsonValueKind.String => $"the string \"{value.GetString()}\"",
        _ => value.GetRawText(),
    };
}
