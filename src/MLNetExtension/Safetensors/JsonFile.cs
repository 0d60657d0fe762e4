using System.Text.Json;

namespace MLNetExtension.Safetensors;

/// <summary>Reads JSON files; what is no JSON is an error that names the file.</summary>
internal static class JsonFile
{
    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="read">From the root to what is wanted of it.</param>
    /// <exception cref="InvalidDataException">It is not valid JSON.</exception>
    public static T Read<T>(string path, Func<JsonElement, T> read)
    {
        using FileStream stream = File.OpenRead(path);
        try
        {
            using JsonDocument document = JsonDocument.Parse(stream);
            return read(document.RootElement);
        }
        // The parser takes texts that are no Unicode and complains when they are asked for.
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"{path} is not valid JSON: {exception.Message}", exception);
        }
    }
}
