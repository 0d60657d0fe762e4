using System.Text.Json;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Reads the components around the model of a <c>tokenizer.json</c>.</summary>
internal static class TokenizerComponents
{
    /// <summary>Whether the normalizer composes characters (NFC); no other is known.</summary>
    public static bool IsComposed(JsonComponent? normalizer)
    {
        if (normalizer is null)
            return false;

        switch (normalizer.Type)
        {
            case "NFC":
                normalizer.Allow("type");
                return true;
            case "Sequence":
                normalizer.Allow("type", "normalizers");
                return normalizer.Children("normalizers").Select(IsComposed).ToArray().Contains(true);
            default:
                throw normalizer.Unknown("NFC", "Sequence");
        }
    }

    /// <summary>The patterns that split text into words; the last step must be ByteLevel, which makes bytes of the words.</summary>
    public static IReadOnlyList<string> Patterns(JsonComponent preTokenizer)
    {
        var patterns = new List<string>();
        switch (preTokenizer.Type)
        {
            case "ByteLevel":
                AddByteLevel(preTokenizer, patterns);
                break;
            case "Sequence":
                preTokenizer.Allow("type", "pretokenizers");
                JsonComponent[] steps = [.. preTokenizer.Children("pretokenizers")];
                if (steps.Length == 0 || steps[^1].Type != "ByteLevel")
                    throw preTokenizer.Refuse("does not end with ByteLevel, so this is no byte-level model");

                foreach (JsonComponent step in steps[..^1])
                    AddStep(step, patterns);

                AddByteLevel(steps[^1], patterns);
                break;
            default:
                throw preTokenizer.Unknown("ByteLevel", "Sequence");
        }

        return patterns;
    }

    /// <summary>The ids that are put in front of a text and behind it.</summary>
    public static (IReadOnlyList<int> Prefix, IReadOnlyList<int> Suffix) Template(JsonComponent? processor)
    {
        switch (processor?.Type)
        {
            case null when processor is null:
                return ([], []);
            case "ByteLevel":
                AllowByteLevel(processor); // it moves offsets, and no id
                return ([], []);
            case "Sequence":
                processor.Allow("type", "processors");
                var templates = processor.Children("processors").Select(Template).Where(ids => ids.Prefix.Count + ids.Suffix.Count > 0).ToArray();
                return templates.Length switch
                {
                    0 => ([], []),
                    1 => templates[0],
                    _ => throw processor.Refuse("has two templates, expected at most one"),
                };
            case "TemplateProcessing":
                return Single(processor);
            default:
                throw processor.Unknown("ByteLevel", "TemplateProcessing", "Sequence");
        }
    }

    /// <summary>Refuses a decoder other than the one that reads tokens as bytes.</summary>
    public static void CheckDecoder(JsonComponent decoder)
    {
        if (decoder.Type != "ByteLevel")
            throw decoder.Unknown("ByteLevel");

        AllowByteLevel(decoder);
    }

    private static void AddStep(JsonComponent step, List<string> patterns)
    {
        switch (step.Type)
        {
            case "Split":
                step.Allow("type", "pattern", "behavior", "invert");
                step.Expect("behavior", "\"Isolated\"");
                step.Expect("invert", "false", null);
                JsonComponent pattern = (step.Child("pattern") ?? throw step.Refuse("has no pattern")).Allow("Regex");
                patterns.Add(Checked(step, pattern.Text("Regex") ?? throw step.Refuse("has no pattern")));
                break;
            case "Digits":
                step.Allow("type", "individual_digits");
                patterns.Add(step.Flag("individual_digits") ? @"\p{N}" : @"\p{N}+");
                break;
            default:
                throw step.Unknown("Split", "Digits", "ByteLevel");
        }
    }

    private static string Checked(JsonComponent step, string pattern)
    {
        try
        {
            PatternReader.Read(pattern);
            return pattern;
        }
        catch (FormatException error)
        {
            throw step.Refuse($"cannot be used: {error.Message}");
        }
    }

    private static void AddByteLevel(JsonComponent component, List<string> patterns)
    {
        AllowByteLevel(component);
        component.Expect("add_prefix_space", "false");
        if (component.Flag("use_regex", absent: true))
            patterns.Add(SplitPatterns.Gpt2);
    }

    // Of these, trim_offsets tells where tokens stand and never which they are; add_prefix_space counts in the pre-tokenizer alone.
    private static void AllowByteLevel(JsonComponent component)
    {
        component.Allow("type", "add_prefix_space", "trim_offsets", "use_regex");
        _ = (component.Flag("add_prefix_space"), component.Flag("trim_offsets"), component.Flag("use_regex"));
    }

    // The template for pairs of texts is of no use to a model that reads one.
    private static (IReadOnlyList<int> Prefix, IReadOnlyList<int> Suffix) Single(JsonComponent template)
    {
        template.Allow("type", "single", "pair", "special_tokens");
        JsonComponent tokens = template.Child("special_tokens") ?? throw template.Refuse("has no special_tokens");
        List<int> prefix = [], suffix = [];
        int sequences = 0;
        foreach (JsonComponent piece in template.Children("single"))
        {
            piece.Allow("Sequence", "SpecialToken");
            if (piece.Child("SpecialToken") is { } special)
            {
                special.Allow("id", "type_id");
                string name = special.Text("id") ?? throw special.Refuse("has no id");
                JsonComponent token = (tokens.Child(name) ?? throw special.Refuse($"names '{name}', which special_tokens lacks")).Allow("id", "ids", "tokens");
                (sequences == 0 ? prefix : suffix).AddRange(token.Elements("ids").Select(id =>
                    id.ValueKind == JsonValueKind.Number && id.TryGetInt32(out int number) ? number : throw token.Refuse("has an id that is no integer")));
            }
            else
            {
                sequences++;
            }
        }

        return sequences == 1 ? (prefix, suffix) : throw template.Refuse($"has {sequences} sequences in 'single', expected 1");
    }
}
