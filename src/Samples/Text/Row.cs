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
internal readonly record struct Row(string Prompt, string Completion);

/// <summary>Rows and their source.</summary>
/// <param name="Rows">The rows, in the order in which they were read.</param>
/// <param name="Kind">What a row is.</param>
/// <param name="Source">A description of what was read.</param>
/// <param name="Skipped">How many rows were left out because they have no text, or the same text as an earlier row.</param>
internal sealed record RowSet(IReadOnlyList<Row> Rows, RowKind Kind, string Source, int Skipped)
{
    public bool HasPrompts => Kind == RowKind.Prompts;
}
