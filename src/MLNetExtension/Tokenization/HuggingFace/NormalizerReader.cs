using MLNetExtension.Files;
using MLNetExtension.Tokenization.Normalization;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Reads the <c>normalizer</c> of <c>tokenizer.json</c>.</summary>
internal static class NormalizerReader
{
    private static readonly ComponentReader<TextNormalizer> Reader = new(
        new Dictionary<string, Func<JsonObjectReader, TextNormalizer>>
        {
            ["NFC"] = _ => TextNormalizer.Form(UnicodeForm.C),
            ["NFD"] = _ => TextNormalizer.Form(UnicodeForm.D),
            ["NFKC"] = _ => TextNormalizer.Form(UnicodeForm.KC),
            ["NFKD"] = _ => TextNormalizer.Form(UnicodeForm.KD),
            ["Lowercase"] = _ => TextNormalizer.Lowercase(),
            ["Strip"] = strip => TextNormalizer.Strip(strip.GetBoolean("strip_left", false), strip.GetBoolean("strip_right", false)),
            ["Prepend"] = prepend => TextNormalizer.Prepend(prepend.GetString("prepend")),
            ["Replace"] = replace => TextNormalizer.Replace(PatternReader.Read(replace), replace.GetString("content")),
            ["Precompiled"] = ReadPrecompiled,
        },
        "normalizers",
        (normalizers, _) => TextNormalizer.Sequence(normalizers));

    /// <summary>Reads a normalizer; null for none.</summary>
    public static TextNormalizer Read(JsonObjectReader? normalizer) => normalizer is null ? TextNormalizer.None : Reader.Read(normalizer);

    private static TextNormalizer ReadPrecompiled(JsonObjectReader normalizer)
    {
        string rules = normalizer.FindString("precompiled_charsmap") ?? "";
        try
        {
            return rules.Length == 0 ? TextNormalizer.None : TextNormalizer.Precompiled(new CharacterMap(Convert.FromBase64String(rules)));
        }
        catch (Exception error) when (error is FormatException or InvalidDataException)
        {
            throw new InvalidDataException($"{normalizer.Name}: 'precompiled_charsmap' cannot be read: {error.Message}", error);
        }
    }
}
