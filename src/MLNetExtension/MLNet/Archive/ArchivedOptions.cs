using System.Text.Json.Nodes;

namespace MLNetExtension.MLNet.Archive;

/// <summary>The options of a saved model: how it was trained, which columns it reads and writes.</summary>
internal static class ArchivedOptions
{
    private const string Entry = "options.json";

    /// <summary>Writes the options as JSON, in the groups that they have.</summary>
    public static void Write(ArchiveWriter archive, CausalLanguageModelTrainer.Options options) => archive.WriteJson(Entry, options);

    /// <summary>Reads the options, also those of the first format, which had no groups.</summary>
    /// <exception cref="InvalidDataException">The entry is missing or damaged.</exception>
    public static CausalLanguageModelTrainer.Options Read(ArchiveReader archive) =>
        archive.FormatVersion == 1 ? EarlierOptions.Parse(archive.ReadJson<JsonObject>(Entry)) : archive.ReadJson<CausalLanguageModelTrainer.Options>(Entry);
}
