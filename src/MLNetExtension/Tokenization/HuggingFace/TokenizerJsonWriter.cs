using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Writes a definition as a <c>tokenizer.json</c> that other libraries read too.</summary>
internal static class TokenizerJsonWriter
{
    public static TokenizerFile Write(TokenizerDefinition definition)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteString("version", "1.0");
            json.WriteNull("truncation");
            json.WriteNull("padding");
            WriteAddedTokens(json, definition.AddedTokens);
            if (definition.UsesNfc)
                WriteComponent(json, "normalizer", "NFC");
            else
                json.WriteNull("normalizer");

            WritePreTokenizer(json, definition.Patterns);
            WriteByteLevel(json, "post_processor", addsPrefixSpace: true, usesPattern: true);
            WriteByteLevel(json, "decoder", addsPrefixSpace: true, usesPattern: true);
            WriteModel(json, definition);
            json.WriteEndObject();
        }

        return new TokenizerFile(TokenizerJsonReader.FileName, buffer.WrittenMemory.ToArray());
    }

    private static void WriteAddedTokens(Utf8JsonWriter json, IReadOnlyList<AddedToken> tokens)
    {
        json.WriteStartArray("added_tokens");
        foreach (AddedToken token in tokens)
        {
            json.WriteStartObject();
            json.WriteNumber("id", token.Id);
            json.WriteString("content", token.Content);
            json.WriteBoolean("single_word", false);
            json.WriteBoolean("lstrip", false);
            json.WriteBoolean("rstrip", false);
            json.WriteBoolean("normalized", token.IsNormalized);
            json.WriteBoolean("special", token.IsSpecial);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WritePreTokenizer(Utf8JsonWriter json, IReadOnlyList<string> patterns)
    {
        if (patterns is [SplitPatterns.Gpt2])
        {
            WriteByteLevel(json, "pre_tokenizer", addsPrefixSpace: false, usesPattern: true);
            return;
        }

        json.WriteStartObject("pre_tokenizer");
        json.WriteString("type", "Sequence");
        json.WriteStartArray("pretokenizers");
        foreach (string pattern in patterns)
        {
            json.WriteStartObject();
            json.WriteString("type", "Split");
            json.WriteStartObject("pattern");
            json.WriteString("Regex", pattern);
            json.WriteEndObject();
            json.WriteString("behavior", "Isolated");
            json.WriteBoolean("invert", false);
            json.WriteEndObject();
        }

        WriteByteLevel(json, null, addsPrefixSpace: false, usesPattern: false);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteByteLevel(Utf8JsonWriter json, string? name, bool addsPrefixSpace, bool usesPattern)
    {
        WriteStart(json, name, "ByteLevel");
        json.WriteBoolean("add_prefix_space", addsPrefixSpace);
        json.WriteBoolean("trim_offsets", true);
        json.WriteBoolean("use_regex", usesPattern);
        json.WriteEndObject();
    }

    private static void WriteComponent(Utf8JsonWriter json, string name, string type)
    {
        WriteStart(json, name, type);
        json.WriteEndObject();
    }

    private static void WriteStart(Utf8JsonWriter json, string? name, string type)
    {
        if (name is null)
            json.WriteStartObject();
        else
            json.WriteStartObject(name);

        json.WriteString("type", type);
    }

    private static void WriteModel(Utf8JsonWriter json, TokenizerDefinition definition)
    {
        WriteStart(json, "model", "BPE");
        json.WriteNull("dropout");
        json.WriteNull("unk_token");
        json.WriteNull("continuing_subword_prefix");
        json.WriteNull("end_of_word_suffix");
        json.WriteBoolean("fuse_unk", false);
        json.WriteBoolean("byte_fallback", false);
        json.WriteBoolean("ignore_merges", definition.IgnoresMerges);
        json.WriteStartObject("vocab");
        foreach ((string token, int id) in definition.Vocabulary.OrderBy(entry => entry.Value))
            json.WriteNumber(token, id);

        json.WriteEndObject();

        // The older of the two forms: every reader knows it, and no byte-level token has a space.
        json.WriteStartArray("merges");
        foreach ((string left, string right) in definition.Merges)
            json.WriteStringValue($"{left} {right}");

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
