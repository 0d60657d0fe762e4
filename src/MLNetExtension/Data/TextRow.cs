namespace MLNetExtension.Data;

/// <summary>One row of text to train on or to score.</summary>
/// <param name="Prompt">The text that is read and not trained on; empty where the whole text is trained on.</param>
/// <param name="Completion">The text whose tokens are the targets.</param>
internal readonly record struct TextRow(string Prompt, string Completion);
