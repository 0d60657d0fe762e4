using System.CommandLine;
using Samples.Text;

namespace Samples.Commands;

/// <summary>The options that name the columns of a file.</summary>
internal sealed class ColumnOptions
{
    private readonly Option<string?> _text = Column("--text-column", "Column with texts, of a .csv, .tsv or .jsonl file (default: text).");
    private readonly Option<string?> _prompt = Column("--prompt-column", "Column with prompts, which are context and not trained on (default: prompt).");
    private readonly Option<string?> _completion = Column("--completion-column", "Column with completions, which are trained on (default: completion).");
    private readonly Option<string?> _messages = Column("--messages-column", "Column with chats, lists of { role, content }; the assistant's messages are trained on (default: messages).");

    /// <summary>Adds the options to a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="chats">Whether it reads chats.</param>
    public void AddTo(Command command, bool chats = false)
    {
        if (chats)
            command.Add(_messages);
        command.Add(_text);
        command.Add(_prompt);
        command.Add(_completion);
        command.Validators.Add(result =>
        {
            bool hasPromptColumn = (result.GetResult(_prompt) ?? result.GetResult(_completion)) is not null;
            if (result.GetResult(_text) is not null && hasPromptColumn)
                result.AddError("--text-column cannot be combined with --prompt-column or --completion-column.");
            if (chats && result.GetResult(_messages) is not null && (result.GetResult(_text) is not null || hasPromptColumn))
                result.AddError("--messages-column cannot be combined with --text-column, --prompt-column or --completion-column.");
        });
    }

    /// <summary>The names that the user gave.</summary>
    public RowColumns Read(ParseResult parsed) => new(parsed.GetValue(_text), parsed.GetValue(_prompt), parsed.GetValue(_completion), parsed.GetValue(_messages));

    private static Option<string?> Column(string name, string description) => new(name) { Description = description, HelpName = "NAME" };
}
