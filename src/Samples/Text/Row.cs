namespace Samples.Text;

/// <summary>What a row is.</summary>
internal enum RowKind
{
    /// <summary>A text, which is learnt whole.</summary>
    Texts,

    /// <summary>A prompt, and the completion that is learnt.</summary>
    Prompts,

    /// <summary>A chat as JSON, of which what the assistant says is learnt.</summary>
    Chats,
}

/// <summary>A row to learn from; <paramref name="Prompt"/> is empty where the whole text, or a chat, is what stands in <paramref name="Completion"/>.</summary>
internal readonly record struct Row(string Prompt, string Completion);

/// <summary>Rows and where they came from.</summary>
/// <param name="Rows">The rows, in the order in which they were read.</param>
/// <param name="Kind">What a row is.</param>
/// <param name="Source">What was read, in words.</param>
/// <param name="Skipped">How many rows were left out because they held no text, or because an earlier row held the same.</param>
internal sealed record RowSet(IReadOnlyList<Row> Rows, RowKind Kind, string Source, int Skipped)
{
    public bool HasPrompts => Kind == RowKind.Prompts;

    /// <summary>The rows, for what is trained from scratch: that knows no chats.</summary>
    /// <exception cref="UserErrorException">They are chats.</exception>
    public RowSet WithoutChats() => Kind != RowKind.Chats
        ? this
        : throw new UserErrorException($"{Source} holds chats, which need a published chat model: finetune learns them.");
}
