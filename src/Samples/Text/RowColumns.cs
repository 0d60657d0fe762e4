using Samples.Errors;

namespace Samples.Text;

/// <summary>The column names that the user gave; null for the default.</summary>
/// <param name="Text">The column with texts (default: text).</param>
/// <param name="Prompt">The column with the prompts (default: prompt).</param>
/// <param name="Completion">The column with the completions (default: completion).</param>
/// <param name="Messages">The column with chats (default: messages).</param>
internal sealed record RowColumns(string? Text = null, string? Prompt = null, string? Completion = null, string? Messages = null)
{
    private const string DefaultText = "text", DefaultPrompt = "prompt", DefaultCompletion = "completion", DefaultMessages = "messages";

    /// <summary>Whether the user gave a name.</summary>
    public bool AnyNamed => Text is not null || Prompt is not null || Completion is not null || Messages is not null;

    /// <summary>Decides between text, prompts and chats, and finds the columns by name (exact, or else ignoring case).</summary>
    /// <param name="available">The column names of the file.</param>
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

/// <summary>The columns to read; <paramref name="Prompt"/> is null for texts and chats, which are in <paramref name="Completion"/>.</summary>
internal sealed record ChosenColumns(string? Prompt, string Completion, bool IsChat = false);
