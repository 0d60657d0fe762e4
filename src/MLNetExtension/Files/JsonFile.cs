using System.Text.Json;

namespace MLNetExtension.Files;

/// <summary>Parses JSON in which no key is there twice; an error in it names the file.</summary>
internal static class JsonFile
{
    private static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false };

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="read">Makes the result of the root element, which is gone afterwards.</param>
    /// <exception cref="InvalidDataException">It is not valid JSON, or has a key twice.</exception>
    public static T Read<T>(string path, Func<JsonElement, T> read)
    {
        using FileStream stream = File.OpenRead(path);
        return Read(path, () => JsonDocument.Parse(stream, Options), read);
    }

    /// <summary>Reads a text in memory.</summary>
    /// <param name="json">UTF-8.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="read">Makes the result of the root element, which is gone afterwards.</param>
    /// <exception cref="InvalidDataException">It is not valid JSON, or has a key twice.</exception>
    public static T Read<T>(ReadOnlyMemory<byte> json, string name, Func<JsonElement, T> read) => Read(name, () => JsonDocument.Parse(json, Options), read);

    private static T Read<T>(string name, Func<JsonDocument> parse, Func<JsonElement, T> read)
    {
        try
        {
            using JsonDocument document = parse();
            return read(document.RootElement);
        }
        // The parser accepts escaped strings that are not valid Unicode and throws InvalidOperationException when they are read.
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"{name} is not valid JSON: {exception.Message}", exception);
        }
    }
}
