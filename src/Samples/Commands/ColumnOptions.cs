using System.CommandLine;
using Samples.Text;

namespace Samples.Commands;

/// <summary>The options that choose a file's columns.</summary>
internal sealed class ColumnOptions
{
    private readonly Option<string?> _text = Column("--text-column", "Column of a csv, tsv or jsonl file whose whole text is learnt (default: text).");
    private readonly Option<string?> _prompt = Column("--prompt-column", "Column with prompts, which are read and not learnt (default: prompt).");
    private readonly Option<string?> _completion = Column("--completion-column", "Column with completions, which are learnt (default: completion).");

    private readonly Option<string?> _messages = Column("--messages-column", "Column with chats, lists of { role, content }, of which the assistant's words are learnt (default: messages).");

    /// <param name="command">Gets the options.</param>
    /// <param name="chats">Whether it takes chats.</param>
    public void AddTo(Command command, bool chats = false)
    {
        if (chats)
            command.Add(_messages);
        command.Add(_text);
        command.Add(_prompt);
        command.Add(_completion);
        command.Validators.Add(result =>
        {
            if (result.GetResult(_text) is not null && (result.GetResult(_prompt) ?? result.GetResult(_completion)) is not null)
                result.AddError("--text-column excludes --prompt-column and --completion-column.");
            if (chats && result.GetResult(_messages) is not null && (result.GetResult(_text) ?? result.GetResult(_prompt) ?? result.GetResult(_completion)) is not null)
                result.AddError("--messages-column excludes --text-column, --prompt-column and --completion-column.");
        });
    }

    public RowColumns Read(ParseResult parsed) => new(parsed.GetValue(_text), parsed.GetValue(_prompt), parsed.GetValue(_completion), parsed.GetValue(_messages));

    private static Option<string?> Column(string name, string description) => new(name) { Description = description, HelpName = "NAME" };
}
