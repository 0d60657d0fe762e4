using MLNetExtension.Files;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Reads the <c>decoder</c> of <c>tokenizer.json</c>.</summary>
internal static class DecoderReader
{
    // The most characters that one step may strip; published files have one.
    private const int MaximumStrip = 1024;

    private static readonly ComponentReader<TokenDecoder?> Reader = new(
        new Dictionary<string, Func<JsonObjectReader, TokenDecoder?>>
        {
            ["ByteLevel"] = ReadByteLevel,
            ["Replace"] = replace => TokenDecoder.Replace(PatternReader.Read(replace), replace.GetString("content")),
            ["ByteFallback"] = _ => TokenDecoder.ByteFallback(),
            ["Fuse"] = _ => TokenDecoder.Fuse(),
            ["Strip"] = ReadStrip,
            ["Metaspace"] = ReadMetaspace,
        },
        "decoders",
        Join);

    /// <summary>Reads a decoder; null is that of byte-level tokens.</summary>
    public static TokenDecoder? Read(JsonObjectReader decoder) => Reader.Read(decoder);

    private static TokenDecoder? ReadByteLevel(JsonObjectReader decoder)
    {
        // They belong to the pre_tokenizer.
        _ = (decoder.GetBoolean("add_prefix_space", true), decoder.GetBoolean("use_regex", true));
        return null;
    }

    private static TokenDecoder ReadStrip(JsonObjectReader strip)
    {
        int start = strip.GetInteger("start", minimum: 0, maximum: MaximumStrip), stop = strip.GetInteger("stop", minimum: 0, maximum: MaximumStrip);
        return TokenDecoder.Strip(PatternReader.ReadCharacter(strip, "content").ToString(), start, stop);
    }

    private static TokenDecoder ReadMetaspace(JsonObjectReader metaspace)
    {
        (char replacement, PrependScheme scheme) = PreTokenizerReader.ReadReplacement(metaspace);
        _ = metaspace.GetBoolean("split", true); // belongs to the pre_tokenizer
        return TokenDecoder.Metaspace(replacement, dropsFirst: scheme != PrependScheme.Never);
    }

    private static TokenDecoder? Join(IReadOnlyList<TokenDecoder?> decoders, JsonObjectReader sequence) => decoders is [null] ? null
        : decoders.All(decoder => decoder is not null) ? TokenDecoder.Sequence(decoders!)
        : throw new NotSupportedException($"{sequence.Name}: ByteLevel beside other decoders is not supported.");
}
