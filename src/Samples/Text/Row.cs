namespace Samples.Text;

/// <summary>A row to learn from; <paramref name="Prompt"/> is empty where the whole text is learnt.</summary>
internal readonly record struct Row(string Prompt, string Completion);

/// <summary>Rows and where they came from.</summary>
/// <param name="Rows">The rows, in the order in which they were read.</param>
/// <param name="HasPrompts">Whether the rows are prompts with completions, or texts.</param>
/// <param name="Source">What was read, in words.</param>
/// <param name="Skipped">How many rows were left out because they held no text, or because an earlier row held the same.</param>
internal sealed record RowSet(IReadOnlyList<Row> Rows, bool HasPrompts, string Source, int Skipped);
