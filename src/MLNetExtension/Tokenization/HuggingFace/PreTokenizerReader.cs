using MLNetExtension.Files;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Reads the <c>pre_tokenizer</c> of <c>tokenizer.json</c>.</summary>
internal static class PreTokenizerReader
{
    private const string ByteLevel = "ByteLevel";

    private static readonly ComponentReader<Words> Reader = new(
        new Dictionary<string, Func<JsonObjectReader, Words>>
        {
            [ByteLevel] = ReadByteLevel,
            ["Split"] = ReadSplit,
            ["Digits"] = digits => new([PatternStep.Isolating(digits.GetBoolean("individual_digits", false) ? @"\p{N}" : @"\p{N}+")], false),
            ["Metaspace"] = ReadMetaspace,
            ["WhitespaceSplit"] = _ => new([new PatternStep(new WhiteSpacePattern(), MatchBehavior.Removed)], false),
        },
        "pretokenizers",
        Join);

    private static readonly Dictionary<string, MatchBehavior> Behaviors = Enum.GetValues<MatchBehavior>().ToDictionary(behavior => behavior.ToString());

    private static readonly Dictionary<string, PrependScheme> Schemes = Enum.GetValues<PrependScheme>().ToDictionary(scheme => scheme.ToString().ToLowerInvariant());

    /// <summary>Reads the steps that split text into words; null for none.</summary>
    /// <returns>The steps, and whether the words are bytes.</returns>
    public static Words Read(JsonObjectReader? preTokenizer) => preTokenizer is null ? new Words([], false) : Reader.Read(preTokenizer);

    /// <summary>Reads the replacement and the scheme of a Metaspace, which a decoder has too.</summary>
    public static (char Replacement, PrependScheme Prepends) ReadReplacement(JsonObjectReader metaspace)
    {
        // Older files have one boolean in place of the scheme, or beside it.
        bool? addsPrefix = metaspace.Find("add_prefix_space") is null ? null : metaspace.GetBoolean("add_prefix_space", true);
        PrependScheme scheme = metaspace.GetChoice("prepend_scheme", Schemes, addsPrefix == false ? "never" : "always");
        return addsPrefix != false || scheme == PrependScheme.Never ? (PatternReader.ReadCharacter(metaspace, "replacement"), scheme)
            : throw new InvalidDataException($"{metaspace.Name}: 'add_prefix_space' is false, and 'prepend_scheme' says otherwise.");
    }

    private static Words ReadByteLevel(JsonObjectReader component)
    {
        ISplitStep[] prefix = component.GetBoolean("add_prefix_space", true) ? [new SpaceStep()] : [];
        ISplitStep[] words = component.GetBoolean("use_regex", true) ? [PatternStep.Isolating(SplitPatterns.Gpt2)] : [];
        return new([.. prefix, .. words], true);
    }

    private static Words ReadSplit(JsonObjectReader split) =>
        new([new PatternStep(PatternReader.Read(split), split.GetChoice("behavior", Behaviors), split.GetBoolean("invert", false))], false);

    private static Words ReadMetaspace(JsonObjectReader metaspace)
    {
        (char replacement, PrependScheme scheme) = ReadReplacement(metaspace);
        return new([new MetaspaceStep(replacement, scheme, metaspace.GetBoolean("split", true))], false);
    }

    private static Words Join(IReadOnlyList<Words> parts, JsonObjectReader sequence)
    {
        bool hasBytesWithin = parts.SkipLast(1).Any(part => part.AreBytes);
        return hasBytesWithin ? throw new NotSupportedException($"{sequence.Name}: {ByteLevel} is not the last of 'pretokenizers', so that those behind it would split bytes, which is not supported.")
            : new([.. parts.SelectMany(part => part.Steps)], parts.Count > 0 && parts[^1].AreBytes);
    }

    /// <summary>What splits text into words.</summary>
    /// <param name="Steps">The steps, one after the other.</param>
    /// <param name="AreBytes">Whether words are bytes at the end.</param>
    internal sealed record Words(IReadOnlyList<ISplitStep> Steps, bool AreBytes);
}
