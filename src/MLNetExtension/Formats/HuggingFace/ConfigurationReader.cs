using System.Text.Json;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>
/// Reads a model's configuration from a JSON object, key by key, and remembers which keys were asked for, so that in the end none is left that nobody understood:
/// an option that is passed over in silence gives a model that computes something else.
/// </summary>
/// <param name="root">The object.</param>
/// <param name="where">What the object is called in errors.</param>
internal sealed class ConfigurationReader(JsonElement root, string where)
{
    private readonly HashSet<string> _read = [];

    /// <summary>What the object is called in errors.</summary>
    public string Where => where;

    /// <summary>Whether a key is there, be it as null.</summary>
    public bool Says(string key) => root.TryGetProperty(key, out _);

    /// <summary>Reads a whole number of at least <paramref name="least"/>.</summary>
    public int Whole(string key, int? otherwise = null, int least = 1) => WholeOrNull(key, least) ?? otherwise ?? throw Missing(key);

    /// <summary>Reads a whole number of at least <paramref name="least"/>, or null where there is none.</summary>
    public int? WholeOrNull(string key, int least = 1)
    {
        if (Find(key) is not { } element)
            return null;
        if (element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out int value) && value >= least)
            return value;
        throw Bad(key, element, $"a whole number of at least {least}");
    }

    /// <summary>Reads a finite number.</summary>
    public double Number(string key, double? otherwise = null) => NumberOrNull(key) ?? otherwise ?? throw Missing(key);

    /// <summary>Reads a finite number, or null where there is none.</summary>
    public double? NumberOrNull(string key)
    {
        if (Find(key) is not { } element)
            return null;
        if (element.ValueKind == JsonValueKind.Number && element.TryGetDouble(out double value) && double.IsFinite(value))
            return value;
        throw Bad(key, element, "a number");
    }

    /// <summary>Reads true or false.</summary>
    public bool Flag(string key, bool otherwise) => Find(key) is not { } element ? otherwise : element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Bad(key, element, "true or false"),
    };

    /// <summary>Reads a string.</summary>
    public string? Text(string key) => Find(key) is not { } element ? null
        : element.ValueKind == JsonValueKind.String ? element.GetString()
        : throw Bad(key, element, "a string");

    /// <summary>Reads a string and looks up what it names.</summary>
    /// <exception cref="NotSupportedException">It names nothing known; the message lists what is.</exception>
    public T Choice<T>(string key, IReadOnlyDictionary<string, T> known, string? otherwise = null)
    {
        string name = Text(key) ?? otherwise ?? throw Missing(key);
        return known.TryGetValue(name, out T? value) ? value
            : throw new NotSupportedException($"{where}: '{key}' is '{name}', which is not supported. Known are: {string.Join(", ", known.Keys)}.");
    }

    /// <summary>Reads an array of one element for each layer, or null where there is none.</summary>
    public IReadOnlyList<JsonElement>? PerLayer(string key, int layers)
    {
        if (Find(key) is not { } element)
            return null;
        return element.ValueKind == JsonValueKind.Array && element.GetArrayLength() == layers ? [.. element.EnumerateArray()]
            : throw Bad(key, element, $"an array of {layers} elements, one for each layer");
    }

    /// <summary>Reads an object, or null where there is none.</summary>
    public ConfigurationReader? Object(string key) => Find(key) is not { } element ? null
        : element.ValueKind == JsonValueKind.Object ? new ConfigurationReader(element, $"{where}, '{key}'")
        : throw Bad(key, element, "an object");

    /// <summary>Refuses a key that changes what the model computes unless it has the one value that is supported here.</summary>
    /// <param name="key">The key.</param>
    /// <param name="value">The value, as JSON.</param>
    public void MustBe(string key, string value) => MustBeOneOf(key, [value]);

    /// <summary>Refuses a key that changes what the model computes unless it has one of the values that are supported here.</summary>
    /// <param name="key">The key.</param>
    /// <param name="values">The values, as JSON.</param>
    public void MustBeOneOf(string key, IReadOnlyList<string> values)
    {
        if (Find(key) is { } element && !values.Any(value => JsonElement.DeepEquals(element, JsonElement.Parse(value))))
            throw new NotSupportedException($"{where}: '{key}' is {element.GetRawText()}, which is not supported; expected {string.Join(", ", values)}.");
    }

    /// <summary>Reads a string or an array of strings; says which it was.</summary>
    public (IReadOnlyList<string> Texts, bool IsList) TextOrTexts(string key) => Find(key) switch
    {
        null => throw Missing(key),
        { ValueKind: JsonValueKind.String } text => ([text.GetString()!], false),
        { ValueKind: JsonValueKind.Array } list when list.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String) => ([.. list.EnumerateArray().Select(item => item.GetString()!)], true),
        { } other => throw Bad(key, other, "a string or an array of strings"),
    };

    /// <summary>Refuses every key that nobody has asked for.</summary>
    /// <param name="harmless">Keys that change nothing in what a model computes.</param>
    public void RefuseOthers(IReadOnlySet<string> harmless)
    {
        foreach (JsonProperty property in root.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.Null && !_read.Contains(property.Name) && !harmless.Contains(property.Name))
                throw new NotSupportedException($"{where}: '{property.Name}' is not known, and may change what the model computes; known are: {string.Join(", ", _read.Order())}. "
                    + "If it changes nothing, remove it.");
        }
    }

    /// <summary>An error about a key's value.</summary>
    public InvalidDataException Bad(string key, JsonElement element, string expected)
    {
        string found = element.GetRawText();
        return new InvalidDataException($"{where}: '{key}' is {(found.Length > 60 ? found[..60] + "..." : found)}, expected {expected}.");
    }

    private JsonElement? Find(string key)
    {
        _read.Add(key);
        return root.TryGetProperty(key, out JsonElement element) && element.ValueKind != JsonValueKind.Null ? element : null;
    }

    private InvalidDataException Missing(string key) => new($"{where}: '{key}' is missing.");
}
