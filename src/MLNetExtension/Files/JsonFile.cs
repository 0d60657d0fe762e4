using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace MLNetExtension.Files;

/// <summary>Parses JSON of strangers: of bounded size and nesting, in which every string is Unicode and no key is there twice. An error in it names the file.</summary>
internal static class JsonFile
{
    /// <summary>The longest file that is read, in bytes.</summary>
    public const int MaximumBytes = 100_000_000;

    /// <summary>How many arrays and objects may be inside one another.</summary>
    public const int MaximumNesting = 64;

    // Names, values and brackets: each takes a dozen bytes once parsed, and some take two in the file. The largest published tokenizers have 3 million.
    private const int MaximumTokens = 10_000_000;

    private static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false, MaxDepth = MaximumNesting };

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="read">Makes the result of the root element, which is gone afterwards.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is not a regular file or too long, is not valid JSON, or has a key twice.</exception>
    public static T Read<T>(string path, Func<JsonElement, T> read) => Read(RegularFile.ReadAllBytes(path, MaximumBytes), path, read);

    /// <summary>Reads a text in memory.</summary>
    /// <param name="json">UTF-8; a byte order mark is skipped.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="read">Makes the result of the root element, which is gone afterwards.</param>
    /// <param name="maximumKeys">The most keys that the root may have. Default: any number.</param>
    /// <exception cref="InvalidDataException">It is not valid JSON, has a key twice, or is beyond a limit.</exception>
    public static T Read<T>(ReadOnlyMemory<byte> json, string name, Func<JsonElement, T> read, int maximumKeys = int.MaxValue)
    {
        if (json.Span.StartsWith(Encoding.UTF8.Preamble))
            json = json[Encoding.UTF8.Preamble.Length..];
        try
        {
            Check(json.Span, name, maximumKeys);
            using JsonDocument document = JsonDocument.Parse(json, Options);
            return read(document.RootElement);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"{name} is not valid JSON: {Excerpt.Of(exception.Message, 300)}", exception);
        }
    }

    /// <summary>Checks a text against all limits, in one pass that keeps nothing: a document takes memory for every token, and does not look at its strings until they are read.</summary>
    /// <param name="json">UTF-8, without a byte order mark.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="maximumKeys">The most keys that the root may have. Default: any number.</param>
    /// <exception cref="JsonException">It is not valid JSON.</exception>
    /// <exception cref="InvalidOperationException">A string is not Unicode.</exception>
    /// <exception cref="InvalidDataException">It is beyond a limit.</exception>
    public static void Check(ReadOnlySpan<byte> json, string name, int maximumKeys = int.MaxValue)
    {
        if (json.Length > MaximumBytes)
            throw new InvalidDataException($"{name} has {json.Length} bytes, expected at most {MaximumBytes}.");
        if (!Utf8.IsValid(json))
            throw new JsonException("it is not UTF-8.");
        Utf8JsonReader reader = new(json, new JsonReaderOptions { MaxDepth = MaximumNesting });
        int tokens = 0, keys = 0;
        while (reader.Read())
        {
            if (reader.TokenType == JsonTokenType.PropertyName && reader.CurrentDepth == 1 && ++keys > maximumKeys)
                throw new InvalidDataException($"{name} has more than {maximumKeys} keys, the most that are read.");
            if (++tokens > MaximumTokens)
                throw new InvalidDataException($"{name} has more than {MaximumTokens} names, values and brackets, the most that are read.");
            // Throws where an escape is half of a surrogate pair.
            if (reader.TokenType is JsonTokenType.PropertyName or JsonTokenType.String && reader.ValueIsEscaped)
                _ = reader.GetString();
        }
    }
}
