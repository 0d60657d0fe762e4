using System.Text.Json;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Reads the components around the model of a <c>tokenizer.json</c>.</summary>
internal static class TokenizerComponents
{
    /// <summary>Reads whether the normalizer is NFC, the only one that is known.</summary>
    public static bool ReadUsesNfc(StrictJsonObject? normalizer)
    {
        if (normalizer is null)
            return false;

        switch (normalizer.Type)
        {
            case "NFC":
                normalizer.AllowOnly("type");
                return true;
            case "Sequence":
                normalizer.AllowOnly("type", "normalizers");
                return normalizer.GetObjects("normalizers").Select(ReadUsesNfc).ToArray().Contains(true);
            default:
                throw normalizer.UnknownType("NFC", "Sequence");
        }
    }

    /// <summary>Reads the patterns that split text into words; the last step must be ByteLevel, which makes bytes of the words.</summary>
    public static IReadOnlyList<string> ReadPatterns(StrictJsonObject preTokenizer)
    {
        var patterns = new List<string>();
        switch (preTokenizer.Type)
        {
            case "ByteLevel":
                AddByteLevel(preTokenizer, patterns);
                break;
            case "Sequence":
                preTokenizer.AllowOnly("type", "pretokenizers");
                StrictJsonObject[] steps = [.. preTokenizer.GetObjects("pretokenizers")];
                if (steps.Length == 0 || steps[^1].Type != "ByteLevel")
                    throw preTokenizer.Error("does not end with ByteLevel, so this is no byte-level model");

                foreach (StrictJsonObject step in steps[..^1])
                    AddStep(step, patterns);

                AddByteLevel(steps[^1], patterns);
                break;
            default:
                throw preTokenizer.UnknownType("ByteLevel", "Sequence");
        }

        return patterns;
    }

    /// <summary>Reads the ids that the post-processor puts in front of a text and behind it.</summary>
    public static (IReadOnlyList<int> Prefix, IReadOnlyList<int> Suffix) ReadTemplate(StrictJsonObject? processor)
    {
        switch (processor?.Type)
        {
            case null when processor is null:
                return ([], []);
            case "ByteLevel":
                AllowByteLevel(processor); // it moves offsets, and no id
                return ([], []);
            case "Sequence":
                processor.AllowOnly("type", "processors");
                var templates = processor.GetObjects("processors").Select(ReadTemplate).Where(ids => ids.Prefix.Count + ids.Suffix.Count > 0).ToArray();
                return templates.Length switch
                {
                    0 => ([], []),
                    1 => templates[0],
                    _ => throw processor.Error("has two templates, expected at most one"),
                };
            case "TemplateProcessing":
                return ReadSingle(processor);
            default:
                throw processor.UnknownType("ByteLevel", "TemplateProcessing", "Sequence");
        }
    }

    /// <summary>Refuses a decoder other than the one that reads tokens as bytes.</summary>
    public static void CheckDecoder(StrictJsonObject decoder)
    {
        if (decoder.Type != "ByteLevel")
            throw decoder.UnknownType("ByteLevel");

        AllowByteLevel(decoder);
    }

    private static void AddStep(StrictJsonObject step, List<string> patterns)
    {
        switch (step.Type)
        {
            case "Split":
                step.AllowOnly("type", "pattern", "behavior", "invert");
                step.RequireOneOf("behavior", "\"Isolated\"");
                step.RequireOneOf("invert", "false", null);
                StrictJsonObject pattern = (step.GetObject("pattern") ?? throw step.Error("has no pattern")).AllowOnly("Regex");
                patterns.Add(Validate(step, pattern.GetString("Regex") ?? throw step.Error("has no pattern")));
                break;
            case "Digits":
                step.AllowOnly("type", "individual_digits");
                patterns.Add(step.GetBoolean("individual_digits") ? @"\p{N}" : @"\p{N}+");
                break;
            default:
                throw step.UnknownType("Split", "Digits", "ByteLevel");
        }
    }

    private static string Validate(StrictJsonObject step, string pattern)
    {
        try
        {
            PatternTranslator.Compile(pattern);
            return pattern;
        }
        catch (FormatException error)
        {
            throw step.Error($"cannot be used: {error.Message}");
        }
    }

    private static void AddByteLevel(StrictJsonObject component, List<string> patterns)
    {
        AllowByteLevel(component);
        component.RequireOneOf("add_prefix_space", "false");
        if (component.GetBoolean("use_regex", absent: true))
            patterns.Add(SplitPatterns.Gpt2);
    }

    // Of these, trim_offsets tells where tokens stand and never which they are; add_prefix_space counts in the pre-tokenizer alone.
    private static void AllowByteLevel(StrictJsonObject component)
    {
        component.AllowOnly("type", "add_prefix_space", "trim_offsets", "use_regex");
        _ = (component.GetBoolean("add_prefix_space"), component.GetBoolean("trim_offsets"), component.GetBoolean("use_regex"));
    }

    // A causal language model reads one text, so the template for pairs does not matter.
    private static (IReadOnlyList<int> Prefix, IReadOnlyList<int> Suffix) ReadSingle(StrictJsonObject template)
    {
        template.AllowOnly("type", "single", "pair", "special_tokens");
        StrictJsonObject tokens = template.GetObject("special_tokens") ?? throw template.Error("has no special_tokens");
        List<int> prefix = [], suffix = [];
        int sequences = 0;
        foreach (StrictJsonObject piece in template.GetObjects("single"))
        {
            piece.AllowOnly("Sequence", "SpecialToken");
            if (piece.GetObject("SpecialToken") is { } special)
            {
                special.AllowOnly("id", "type_id");
                string name = special.GetString("id") ?? throw special.Error("has no id");
                StrictJsonObject token = (tokens.GetObject(name) ?? throw special.Error($"names '{name}', which special_tokens lacks")).AllowOnly("id", "ids", "tokens");
                (sequences == 0 ? prefix : suffix).AddRange(token.GetItems("ids").Select(id =>
                    id.ValueKind == JsonValueKind.Number && id.TryGetInt32(out int number) ? number : throw token.Error("has an id that is no integer")));
            }
            else
            {
                sequences++;
            }
        }

        return sequences == 1 ? (prefix, suffix) : throw template.Error($"has {sequences} sequences in 'single', expected 1");
    }
}
