namespace MLNetExtension.Data;

/// <summary>What a row of the data holds, as it stands there.</summary>
/// <param name="Text">Prompt and completion; both empty where the row holds token ids or a chat.</param>
/// <param name="TokenIds">The row's token ids; null where it holds something else.</param>
/// <param name="Messages">The row's chat, as JSON; null where it holds something else.</param>
/// <param name="Weight">What the row's summed loss and its number of targets are multiplied by.</param>
internal readonly record struct RowContent(TextRow Text, int[]? TokenIds, string? Messages, double Weight);
