using System.Text.Json;

namespace MLNetExtension.Checkpoints;

/// <summary>Reads JSON files; what is no JSON is an error that names the file.</summary>
internal static class JsonFile
{
    /// <summary>Reads a file. The caller disposes of the document.</summary>
    /// <exception cref="InvalidDataException">It is not valid JSON.</exception>
    public static JsonDocument Read(string path)
    {
        using FileStream stream = File.OpenRead(path);
        try
        {
            return JsonDocument.Parse(stream);
        }
        catch (JsonException exception)
        {
            throw new InvalidDataException($"{path} is not valid JSON: {exception.Message}", exception);
        }
    }
}
