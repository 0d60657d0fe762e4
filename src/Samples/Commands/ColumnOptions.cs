using System.CommandLine;
using Samples.Text;

namespace Samples.Commands;

/// <summary>The options that name the columns of a file.</summary>
internal static class ColumnOptions
{
    /// <summary>Adds the options to a command, those for chats if it reads them.</summary>
    /// <returns>Reads the names that the user gave.</returns>
    public static Func<ParseResult, RowColumns> AddTo(Command command, bool chats = false)
    {
        Option<string?> text = Column("--text-column", "Column with texts, of a .csv, .tsv or .jsonl file (default: text).");
        Option<string?> prompt = Column("--prompt-column", "Column with prompts, which are context and not trained on (default: prompt).");
        Option<string?> completion = Column("--completion-column", "Column with completions, which are trained on (default: completion).");
        Option<string?> messages = Column("--messages-column", "Column with chats, lists of { role, content }; the assistant's messages are trained on (default: messages).");
        foreach (Option option in chats ? (Option[])[messages, text, prompt, completion] : [text, prompt, completion])
            command.Add(option);
        command.Validators.Add(result =>
        {
            bool hasText = result.GetResult(text) is not null, hasPrompt = (result.GetResult(prompt) ?? result.GetResult(completion)) is not null;
            if (hasText && hasPrompt)
                result.AddError("--text-column cannot be combined with --prompt-column or --completion-column.");
            if (result.GetResult(messages) is not null && (hasText || hasPrompt))
                result.AddError("--messages-column cannot be combined with --text-column, --prompt-column or --completion-column.");
        });
        return parsed => new RowColumns(parsed.GetValue(text), parsed.GetValue(prompt), parsed.GetValue(completion), chats ? parsed.GetValue(messages) : null);
    }

    private static Option<string?> Column(string name, string description) => new(name) { Description = description, HelpName = "NAME" };
}
