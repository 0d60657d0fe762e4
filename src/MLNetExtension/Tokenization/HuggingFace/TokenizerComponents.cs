using System.Text.Json;
using MLNetExtension.Files;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Reads the components around the model of a <c>tokenizer.json</c>.</summary>
internal static class TokenizerComponents
{
    // Published files have at most six; each is a pattern to compile.
    private const int MaximumSteps = 64;

    private const string ByteLevel = "ByteLevel", Sequence = "Sequence";

    // Of these, trim_offsets tells where tokens stand and never which they are, and a causal language model reads one text, so the template for pairs does not matter.
    private static readonly HashSet<string> Harmless = ["trim_offsets", "pair"];

    private static readonly Dictionary<string, Func<JsonObjectReader, bool>> Normalizers = new()
    {
        ["NFC"] = _ => true,
        [Sequence] = normalizer => normalizer.GetObjects("normalizers").Select(UsesNfc).ToArray().Contains(true),
    };

    private static readonly Dictionary<string, Func<JsonObjectReader, IReadOnlyList<string>>> PreTokenizers = new()
    {
        [ByteLevel] = ReadByteLevel,
        [Sequence] = ReadSteps,
    };

    private static readonly Dictionary<string, Func<JsonObjectReader, IReadOnlyList<string>>> Steps = new()
    {
        ["Split"] = ReadSplit,
        ["Digits"] = step => [step.GetBoolean("individual_digits", false) ? @"\p{N}" : @"\p{N}+"],
        [ByteLevel] = ReadByteLevel,
    };

    private static readonly Dictionary<string, Func<JsonObjectReader, (IReadOnlyList<int> Prefix, IReadOnlyList<int> Suffix)>> PostProcessors = new()
    {
        [ByteLevel] = IgnoreByteLevel,
        ["TemplateProcessing"] = ReadSingle,
        [Sequence] = ReadTemplates,
    };

    private static readonly Dictionary<string, Func<JsonObjectReader, (IReadOnlyList<int> Prefix, IReadOnlyList<int> Suffix)>> Decoders = new() { [ByteLevel] = IgnoreByteLevel };

    /// <summary>Reads whether the normalizer is NFC, the only one that is known.</summary>
    public static bool UsesNfc(JsonObjectReader? normalizer) => normalizer is not null && Read(normalizer, Normalizers);

    /// <summary>Reads the patterns that split text into words; the last step must be ByteLevel, which makes bytes of the words.</summary>
    public static IReadOnlyList<string> ReadPatterns(JsonObjectReader preTokenizer) => Read(preTokenizer, PreTokenizers);

    /// <summary>Reads the ids that the post-processor puts in front of a text and behind it.</summary>
    public static (IReadOnlyList<int> Prefix, IReadOnlyList<int> Suffix) ReadTemplate(JsonObjectReader? processor) => processor is null ? ([], []) : Read(processor, PostProcessors);

    /// <summary>Refuses a decoder other than the one that reads tokens as bytes.</summary>
    public static void CheckDecoder(JsonObjectReader decoder) => Read(decoder, Decoders);

    private static T Read<T>(JsonObjectReader component, IReadOnlyDictionary<string, Func<JsonObjectReader, T>> readers)
    {
        T result = component.GetChoice("type", readers)(component);
        component.RefuseUnread(Harmless);
        return result;
    }

    private static IReadOnlyList<string> ReadSteps(JsonObjectReader preTokenizer)
    {
        int count = preTokenizer.GetItems("pretokenizers").Count;
        if (count > MaximumSteps)
            throw new NotSupportedException($"{preTokenizer.Name}: 'pretokenizers' has {count} steps, expected at most {MaximumSteps}.");

        IReadOnlyList<JsonObjectReader> steps = preTokenizer.GetObjects("pretokenizers");
        return steps.Count > 0 && steps[^1].FindString("type") == ByteLevel ? [.. steps.SelectMany(step => Read(step, Steps))]
            : throw new NotSupportedException($"{preTokenizer.Name} does not end with {ByteLevel}, so this is no byte-level model.");
    }

    private static IReadOnlyList<string> ReadByteLevel(JsonObjectReader component)
    {
        if (component.GetBoolean("add_prefix_space", true))
            throw new NotSupportedException($"{component.Name}: 'add_prefix_space' is true, which is not supported; expected false.");
        return component.GetBoolean("use_regex", true) ? [SplitPatterns.Gpt2] : [];
    }

    private static IReadOnlyList<string> ReadSplit(JsonObjectReader step)
    {
        step.Require("behavior", "\"Isolated\"");
        step.Require("invert", "false");
        JsonObjectReader pattern = step.GetObject("pattern");
        string regex = pattern.GetString("Regex");
        pattern.RefuseUnread();
        try
        {
            _ = new WordPattern(regex);
            return [regex];
        }
        catch (FormatException error)
        {
            throw new NotSupportedException($"{step.Name} cannot be used: {error.Message.TrimEnd('.')}.", error);
        }
    }

    // Behind the model it moves offsets, and no id; add_prefix_space counts in the pre-tokenizer alone.
    private static (IReadOnlyList<int> Prefix, IReadOnlyList<int> Suffix) IgnoreByteLevel(JsonObjectReader component)
    {
        _ = (component.GetBoolean("add_prefix_space", true), component.GetBoolean("use_regex", true));
        return ([], []);
    }

    private static (IReadOnlyList<int> Prefix, IReadOnlyList<int> Suffix) ReadTemplates(JsonObjectReader processor)
    {
        var templates = processor.GetObjects("processors").Select(ReadTemplate).Where(ids => ids.Prefix.Count + ids.Suffix.Count > 0).ToArray();
        return templates.Length switch
        {
            0 => ([], []),
            1 => templates[0],
            _ => throw new NotSupportedException($"{processor.Name} has two templates, expected at most one."),
        };
    }

    private static (IReadOnlyList<int> Prefix, IReadOnlyList<int> Suffix) ReadSingle(JsonObjectReader template)
    {
        JsonObjectReader tokens = template.GetObject("special_tokens");
        List<int> prefix = [], suffix = [];
        int sequences = 0;
        foreach (JsonObjectReader piece in template.GetObjects("single"))
        {
            if (piece.FindObject("SpecialToken") is { } special)
                (sequences == 0 ? prefix : suffix).AddRange(ReadTokenIds(tokens.GetObject(special.GetString("id"))));
            else if (piece.GetObject("Sequence") is not null)
                sequences++;
        }

        return sequences == 1 ? (prefix, suffix) : throw new NotSupportedException($"{template.Name} has {sequences} sequences in 'single', expected 1.");
    }

    private static IEnumerable<int> ReadTokenIds(JsonObjectReader token) =>
        token.GetItems("ids").Select(item => item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out int id) ? id : throw token.Unexpected("ids", item, "ids"));
}
