using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using MLNetExtension.Data;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.MLNet.Schema;

namespace MLNetExtension.MLNet.Trainer;

/// <summary>Tells one training from another: what must be the same for one to go on where the other stopped.</summary>
internal static class ResumeSettings
{
    // These change what is written in logs and columns, and not what is learnt. An option that nobody has thought of counts.
    private static readonly string[] Without =
    [
        nameof(CausalLanguageModelTrainer.Options.ReportInterval), nameof(CausalLanguageModelTrainer.Options.MemoryLimitMiB), nameof(CausalLanguageModelTrainer.Options.GeneratedText),
    ];

    /// <summary>Gives the options by name, and a hash of what is learnt and of what is measured: the columns' names do not count, their contents do.</summary>
    public static IReadOnlyDictionary<string, string> Of(CausalLanguageModelTrainer.Options options, RowReaderResult rows, RowReaderResult? validation)
    {
        var settings = new Dictionary<string, string>();
        foreach (var option in JsonSerializer.SerializeToElement(options, ArchiveJson.Options).EnumerateObject())
        {
            string name = char.ToUpperInvariant(option.Name[0]) + option.Name[1..];
            if (!Without.Contains(name) && !name.EndsWith("ColumnName", StringComparison.Ordinal))
                settings[name] = option.Value.GetRawText();
        }
        settings["the training data"] = Hash(rows.Examples);
        settings["the validation data"] = validation is null ? "none" : Hash(validation.Examples);
        return settings;
    }

    private static string Hash(IReadOnlyList<TokenExample> examples)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> head = stackalloc byte[sizeof(int) + sizeof(double)];
        foreach (var example in examples)
        {
            BinaryPrimitives.WriteInt32LittleEndian(head, example.Length);
            BinaryPrimitives.WriteDoubleLittleEndian(head[sizeof(int)..], example.Weight);
            hash.AppendData(head);
            hash.AppendData(MemoryMarshal.AsBytes<int>(example.Ids));
            hash.AppendData(MemoryMarshal.AsBytes<int>(example.Targets));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
