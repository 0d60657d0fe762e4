using Samples.Errors;

namespace Samples.Text;

/// <summary>The column names that the user gave; null for the default.</summary>
internal sealed record RowColumns(string? Text = null, string? Prompt = null, string? Completion = null, string? Messages = null, string? Order = null)
{
    private const string DefaultText = "text", DefaultPrompt = "prompt", DefaultCompletion = "completion", DefaultMessages = "messages";

    /// <summary>Whether the user gave a name.</summary>
    public bool AnyNamed => (Text ?? Prompt ?? Completion ?? Messages ?? Order) is not null;

    /// <summary>Decides between text, prompts and chats, and finds the columns by name (exact, or else ignoring case).</summary>
    /// <exception cref="UserErrorException">A named column, or every default, is missing.</exception>
    public ChosenColumns Choose(IReadOnlyList<string> available, string where)
    {
        return ChooseContent() with { Order = Order is null ? null : Require(Order) };

        ChosenColumns ChooseContent()
        {
            if (Text is not null)
                return new ChosenColumns(RowKind.Texts, Require(Text));
            if (Messages is not null)
                return new ChosenColumns(RowKind.Chats, Require(Messages));
            if ((Prompt ?? Completion) is not null)
                return new ChosenColumns(RowKind.Prompts, Require(Completion ?? DefaultCompletion), Require(Prompt ?? DefaultPrompt));
            if (Find(DefaultPrompt) is { } prompt && Find(DefaultCompletion) is { } completion)
                return new ChosenColumns(RowKind.Prompts, completion, prompt);
            if (Find(DefaultMessages) is { } messages)
                return new ChosenColumns(RowKind.Chats, messages);
            return new ChosenColumns(RowKind.Texts, Find(DefaultText)
                ?? throw Missing($"neither a column '{DefaultText}' nor columns '{DefaultPrompt}' and '{DefaultCompletion}', nor a column '{DefaultMessages}'"));
        }

        string? Find(string name) => available.FirstOrDefault(column => column == name)
            ?? available.FirstOrDefault(column => column.Equals(name, StringComparison.OrdinalIgnoreCase));
        string Require(string name) => Find(name) ?? throw Missing($"no column '{name}'");
        UserErrorException Missing(string what) => new($"{where} has {what}; it has: {string.Join(", ", available)}.");
    }
}

/// <summary>The columns to read: <paramref name="Text"/> has the texts, the chats or the completions of the prompts.</summary>
internal sealed record ChosenColumns(RowKind Kind, string Text, string? Prompt = null)
{
    /// <summary>The column by which rows are ordered; null where there is none.</summary>
    public string? Order { get; init; }
}
