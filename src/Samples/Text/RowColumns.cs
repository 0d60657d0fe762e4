namespace Samples.Text;

/// <summary>The columns that the user named; null where the name was left to us.</summary>
/// <param name="Text">The column whose whole text is learnt (default: text).</param>
/// <param name="Prompt">The column with the prompts (default: prompt).</param>
/// <param name="Completion">The column with the completions (default: completion).</param>
/// <param name="Messages">The column with chats (default: messages).</param>
internal sealed record RowColumns(string? Text = null, string? Prompt = null, string? Completion = null, string? Messages = null)
{
    private const string DefaultText = "text", DefaultPrompt = "prompt", DefaultCompletion = "completion", DefaultMessages = "messages";

    public bool AnyNamed => Text is not null || Prompt is not null || Completion is not null || Messages is not null;

    /// <summary>Decides between text, prompts and chats, and finds the columns by name (exactly, else without regard to case).</summary>
    /// <param name="available">The names that the file has.</param>
    /// <param name="where">The file, for the message.</param>
    /// <exception cref="UserErrorException">A named column, or every default, is missing.</exception>
    public ChosenColumns Choose(IReadOnlyList<string> available, string where)
    {
        if (Text is not null)
            return new ChosenColumns(null, Find(Text) ?? throw Missing($"no column '{Text}'"));
        if (Messages is not null)
            return new ChosenColumns(null, Require(Messages), IsChat: true);
        if (Prompt is not null || Completion is not null)
            return new ChosenColumns(Require(Prompt ?? DefaultPrompt), Require(Completion ?? DefaultCompletion));
        if (Find(DefaultPrompt) is { } prompt && Find(DefaultCompletion) is { } completion)
            return new ChosenColumns(prompt, completion);
        if (Find(DefaultMessages) is { } messages)
            return new ChosenColumns(null, messages, IsChat: true);
        return new ChosenColumns(null, Find(DefaultText)
            ?? throw Missing($"neither a column '{DefaultText}' nor columns '{DefaultPrompt}' and '{DefaultCompletion}', nor a column '{DefaultMessages}'"));

        string? Find(string name) => available.FirstOrDefault(column => column == name)
            ?? available.FirstOrDefault(column => column.Equals(name, StringComparison.OrdinalIgnoreCase));
        string Require(string name) => Find(name) ?? throw Missing($"no column '{name}'");
        UserErrorException Missing(string what) => new($"{where} has {what}; it has: {string.Join(", ", available)}.");
    }
}

/// <summary>The columns to read; <paramref name="Prompt"/> is null where the whole text is learnt, or <paramref name="Completion"/> holds chats.</summary>
internal sealed record ChosenColumns(string? Prompt, string Completion, bool IsChat = false);
