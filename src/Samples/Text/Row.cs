namespace Samples.Text;

/// <summary>What a row is.</summary>
internal enum RowKind
{
    /// <summary>A text; the model is trained on all of it.</summary>
    Texts,

    /// <summary>A prompt and a completion; the model is trained on the completion.</summary>
    Prompts,

    /// <summary>A chat as JSON; the model is trained on the assistant's messages.</summary>
    Chats,
}

/// <summary>A row to train on; of texts and chats, <paramref name="Prompt"/> is empty and <paramref name="Completion"/> is the text or the chat.</summary>
public sealed record Row(string Prompt, string Completion)
{
    /// <summary>By what rows are ordered; NaN where nothing was said.</summary>
    public double Order { get; init; } = double.NaN;

    /// <summary>The prompt, with a line break at its end that separates it from the completion.</summary>
    public static string TerminatePrompt(string prompt) => prompt.EndsWith('\n') ? prompt : prompt + '\n';
}

/// <summary>Rows in the order in which they were read, and their source. <paramref name="Skipped"/> rows have no text, or the same text as an earlier row.</summary>
internal sealed record RowSet(IReadOnlyList<Row> Rows, RowKind Kind, string Source, int Skipped);
