using System.Text.Json;
using System.Text.Json.Nodes;
using MLNetExtension.Files;
using MLNetExtension.Training.Optimization;

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
        var json = archive.ReadJson<JsonObject>(Entry);
        try
        {
            var options = archive.FormatVersion == 1 ? EarlierOptions.Parse(json) : Parse(json);
            options.Columns.Validate(nameof(options.Columns));
            options.Outputs.Validate(nameof(options.Outputs));
            return options;
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException or InvalidOperationException or FormatException or NotSupportedException)
        {
            throw new InvalidDataException($"The saved model's entry '{Entry}' cannot be read: {(exception is ArgumentException error ? Excerpt.OfSentence(error) : exception.Message)}");
        }
    }

    /// <summary>Gives the options that an object of groups holds.</summary>
    /// <exception cref="JsonException">A value is not what its option holds.</exception>
    internal static CausalLanguageModelTrainer.Options Parse(JsonObject json)
    {
        // There was one optimizer before there were several.
        if (json["optimizer"] is JsonObject optimizer && !optimizer.ContainsKey(OptimizerOptions.Kind))
            optimizer[OptimizerOptions.Kind] = OptimizerOptions.DefaultKind;
        return json.Deserialize<CausalLanguageModelTrainer.Options>(ArchiveJson.Options) ?? throw new JsonException("It is null.");
    }
}
