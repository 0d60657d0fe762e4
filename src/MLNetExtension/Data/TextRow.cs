namespace MLNetExtension.Data;

/// <summary>One row of text to learn from or to score.</summary>
/// <param name="Prompt">The text that is given and not learnt; empty where the whole text is learnt.</param>
/// <param name="Completion">The text whose tokens are the targets.</param>
internal readonly record struct TextRow(string Prompt, string Completion);
