using System.Text.Json;

namespace MLNetExtension.Files;

/// <summary>Reads a JSON object key by key and, at the end, refuses the keys that nobody has read: an option that is ignored in silence gives a model that computes something else.</summary>
/// <remarks>In every method a key whose value is null counts as missing, except in <see cref="Contains"/>.</remarks>
internal sealed class JsonObjectReader
{
    private readonly JsonElement _root;
    private readonly HashSet<string> _read = [];

    /// <summary>Starts to read an object.</summary>
    /// <param name="root">The object.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="InvalidDataException">The element is not an object.</exception>
    public JsonObjectReader(JsonElement root, string name)
    {
        (_root, Name) = (root, name);
        if (root.ValueKind != JsonValueKind.Object)
            throw new InvalidDataException($"{name} is not a JSON object.");
    }

    /// <summary>What messages call the object.</summary>
    public string Name { get; }

    /// <summary>The object's keys and values.</summary>
    public IEnumerable<JsonProperty> Properties => _root.EnumerateObject();

    /// <summary>Whether a key is there, be its value null.</summary>
    public bool Contains(string key) => _root.TryGetProperty(key, out _);

    /// <summary>Reads a whole number from <paramref name="minimum"/> to <paramref name="maximum"/>; where it is missing, <paramref name="defaultValue"/>.</summary>
    /// <exception cref="InvalidDataException">It is not such a number, or is missing and there is no default. This holds for all the methods of this class.</exception>
    public int GetInteger(string key, int? defaultValue = null, int minimum = 1, int maximum = int.MaxValue) => FindInteger(key, minimum, maximum) ?? defaultValue ?? throw Missing(key);

    /// <summary>Reads a whole number from <paramref name="minimum"/> to <paramref name="maximum"/>, or null where it is missing.</summary>
    public int? FindInteger(string key, int minimum = 1, int maximum = int.MaxValue)
    {
        if (Find(key) is not { } element)
            return null;
        if (element.ValueKind != JsonValueKind.Number || !element.TryGetInt32(out int value) || value < minimum)
            throw Unexpected(key, element, $"a whole number of at least {minimum}{(maximum < int.MaxValue ? $" and at most {maximum}" : "")}");
        return value <= maximum ? value : throw Unexpected(key, element, $"at most {maximum}");
    }

    /// <summary>Reads a whole number from 0 to <paramref name="maximum"/>.</summary>
    public long GetCount(string key, long maximum)
    {
        JsonElement element = Find(key) ?? throw Missing(key);
        return element.ValueKind == JsonValueKind.Number && element.TryGetInt64(out long value) && value >= 0 && value <= maximum ? value
            : throw Unexpected(key, element, FormattableString.Invariant($"a whole number from 0 to {maximum}"));
    }

    /// <summary>Reads a finite number; where it is missing, <paramref name="defaultValue"/>.</summary>
    public double GetNumber(string key, double? defaultValue = null) => FindNumber(key) ?? defaultValue ?? throw Missing(key);

    /// <summary>Reads a number in a range; where it is missing, <paramref name="defaultValue"/>, which need not be in it.</summary>
    public double GetNumber(string key, NumberRange range, double? defaultValue = null) => FindNumber(key, range) ?? defaultValue ?? throw Missing(key);

    /// <summary>Reads a number in a range, or null where it is missing.</summary>
    public double? FindNumber(string key, NumberRange range)
    {
        double? value = FindNumber(key);
        return value is null || range.Contains(value.Value) ? value : throw Unexpected(key, Find(key)!.Value, range.ToString());
    }

    /// <summary>Reads a finite number, or null where it is missing.</summary>
    public double? FindNumber(string key)
    {
        if (Find(key) is not { } element)
            return null;
        if (element.ValueKind == JsonValueKind.Number && element.TryGetDouble(out double value) && double.IsFinite(value))
            return value;
        throw Unexpected(key, element, "a number");
    }

    /// <summary>Reads true or false; where it is missing, <paramref name="defaultValue"/>.</summary>
    public bool GetBoolean(string key, bool defaultValue) => Find(key) switch
    {
        null => defaultValue,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } other => throw Unexpected(key, other, "true or false"),
    };

    /// <summary>Reads a string.</summary>
    public string GetString(string key) => FindString(key) ?? throw Missing(key);

    /// <summary>Reads a string, or null where it is missing.</summary>
    public string? FindString(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } text => text.GetString(),
        { } other => throw Unexpected(key, other, "a string"),
    };

    /// <summary>Reads a string and looks up what it names; where it is missing, what <paramref name="defaultName"/> names.</summary>
    /// <exception cref="NotSupportedException">It names nothing known; the message lists what is.</exception>
    public T GetChoice<T>(string key, IReadOnlyDictionary<string, T> known, string? defaultName = null)
    {
        string name = FindString(key) ?? defaultName ?? throw Missing(key);
        return known.TryGetValue(name, out T? value) ? value
            : throw new NotSupportedException($"{Name}: '{key}' is '{Excerpt.Of(name)}', which is not supported. Known are: {string.Join(", ", known.Keys)}.");
    }

    /// <summary>Reads an array; empty where it is missing.</summary>
    public IReadOnlyList<JsonElement> GetItems(string key) => Find(key) switch
    {
        null => [],
        { ValueKind: JsonValueKind.Array } list => [.. list.EnumerateArray()],
        { } other => throw Unexpected(key, other, "an array"),
    };

    /// <summary>Reads an array of one element for each layer, or null where it is missing.</summary>
    public IReadOnlyList<JsonElement>? FindPerLayer(string key, int layers)
    {
        if (Find(key) is not { } element)
            return null;
        return GetItems(key) is var items && items.Count == layers ? items : throw Unexpected(key, element, $"an array of {layers} elements, one for each layer");
    }

    /// <summary>Reads an object.</summary>
    public JsonObjectReader GetObject(string key) => FindObject(key) ?? throw Missing(key);

    /// <summary>Reads an array of objects; empty where it is missing.</summary>
    public IReadOnlyList<JsonObjectReader> GetObjects(string key) => [.. GetItems(key).Select((item, index) => new JsonObjectReader(item, $"{Name}, '{key}[{index}]'"))];

    /// <summary>Reads every key as a name and its value as an id: a vocabulary.</summary>
    public Dictionary<string, int> ReadIds()
    {
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (JsonProperty property in _root.EnumerateObject())
            ids.Add(property.Name, property.Value.ValueKind == JsonValueKind.Number && property.Value.TryGetInt32(out int id) ? id : throw Unexpected(property.Name, property.Value, "an id"));
        return ids;
    }

    /// <summary>Reads an object, or null where it is missing.</summary>
    public JsonObjectReader? FindObject(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } element => new JsonObjectReader(element, $"{Name}, '{Excerpt.Of(key)}'"),
        { } other => throw Unexpected(key, other, "an object"),
    };

    /// <summary>Reads a string or an array of strings, and whether it was an array.</summary>
    public (IReadOnlyList<string> Strings, bool IsArray) GetStrings(string key)
    {
        JsonElement element = Find(key) ?? throw Missing(key);
        if (element.ValueKind == JsonValueKind.String)
            return ([element.GetString()!], false);
        if (element.ValueKind == JsonValueKind.Array && element.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String))
            return ([.. element.EnumerateArray().Select(item => item.GetString()!)], true);
        throw Unexpected(key, element, "a string or an array of strings");
    }

    /// <summary>Checks that a key, where it is there, has one of the values that are supported.</summary>
    /// <param name="key">The key.</param>
    /// <param name="values">The values, as JSON.</param>
    /// <exception cref="NotSupportedException">It has another value.</exception>
    public void Require(string key, params IReadOnlyList<string> values)
    {
        if (Find(key) is { } element && !values.Any(value => JsonElement.DeepEquals(element, JsonElement.Parse(value))))
            throw new NotSupportedException($"{Name}: '{key}' is {Excerpt.Of(element.GetRawText())}, which is not supported; expected {string.Join(", ", values)}.");
    }

    /// <summary>Refuses every key that has not been read.</summary>
    /// <param name="harmless">Keys that do not change what a model computes, which may be there all the same; null for none.</param>
    /// <exception cref="NotSupportedException">There is such a key; the message names it and those that were read.</exception>
    public void RefuseUnread(IReadOnlySet<string>? harmless = null)
    {
        foreach (JsonProperty property in _root.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.Null && !_read.Contains(property.Name) && harmless?.Contains(property.Name) != true)
                throw new NotSupportedException($"{Name}: '{Excerpt.Of(property.Name)}' is not known, and may change what the model computes; known are: {string.Join(", ", _read.Order())}. "
                    + "If it changes nothing, remove it.");
        }
    }

    /// <summary>Reads any value, or null where it is missing.</summary>
    public JsonElement? Find(string key)
    {
        _read.Add(key);
        return _root.TryGetProperty(key, out JsonElement element) && element.ValueKind != JsonValueKind.Null ? element : null;
    }

    /// <summary>Makes the error for a value of the wrong kind.</summary>
    public InvalidDataException Unexpected(string key, JsonElement element, string expected) =>
        new($"{Name}: '{Excerpt.Of(key)}' is {Excerpt.Of(element.GetRawText(), 60)}, expected {expected}.");

    private InvalidDataException Missing(string key) => new($"{Name}: '{Excerpt.Of(key)}' is missing.");
}
