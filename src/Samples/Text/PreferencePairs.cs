using System.Text.RegularExpressions;

namespace Samples.Text;

/// <summary>A prompt, a better and a worse completion.</summary>
internal sealed record PreferencePair(string Prompt, string Completion, string Rejected);

/// <summary>Pairs that prefer the shorter of two summaries of the same member. The documentation has one summary of each, so the shorter one is its first sentence, where it has several.</summary>
internal static partial class PreferencePairs
{
    /// <summary>Makes a pair of every row whose completion has more than one sentence.</summary>
    /// <param name="rows">Prompts with completions.</param>
    public static IReadOnlyList<PreferencePair> Of(IEnumerable<Row> rows) =>
        [.. from row in rows
            let first = FirstSentence().Match(row.Completion)
            where first.Success
            select new PreferencePair(row.Prompt, first.Groups[1].Value, row.Completion)];

    // Long enough to be a sentence and no abbreviation, with another behind it that begins with a capital.
    [GeneratedRegex(@"^(.{15,}?\.)\s+(?=\p{Lu})")]
    private static partial Regex FirstSentence();
}
