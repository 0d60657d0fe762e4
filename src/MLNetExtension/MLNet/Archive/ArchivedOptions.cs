using System.Text.Json;
using System.Text.Json.Nodes;
using MLNetExtension.Files;

namespace MLNetExtension.MLNet.Archive;

/// <summary>The options of a saved model: how it was trained, which columns it reads and writes.</summary>
internal static class ArchivedOptions
{
    private const string Entry = "options.json";

    /// <summary>Writes the options as JSON, in the groups that they have.</summary>
    public static void Write(ArchiveWriter archive, CausalLanguageModelTrainer.Options options) => archive.WriteJson(Entry, options);

    /// <summary>Reads the options, also those of the first format, which had no groups. Those that scoring needs are checked; the others say how the model was trained.</summary>
    /// <exception cref="InvalidDataException">The entry is missing or damaged, or names no columns.</exception>
    public static CausalLanguageModelTrainer.Options Read(ArchiveReader archive)
    {
        JsonObject? earlier = archive.FormatVersion == 1 ? archive.ReadJson<JsonObject>(Entry) : null;
        try
        {
            var options = earlier is null ? archive.ReadJson<CausalLanguageModelTrainer.Options>(Entry) : EarlierOptions.Parse(earlier);
            options.Columns.Validate(nameof(options.Columns));
            options.Outputs.Validate(nameof(options.Outputs));
            return options;
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException or InvalidOperationException or FormatException or NotSupportedException)
        {
            throw new InvalidDataException($"The saved model's entry '{Entry}' cannot be read: {(exception is ArgumentException error ? Excerpt.OfSentence(error) : exception.Message)}");
        }
    }
}
