using System.CommandLine;
using Samples.Text;

namespace Samples.Commands;

/// <summary>The options that choose a file's columns.</summary>
internal sealed class ColumnOptions
{
    private readonly Option<string?> _text = Column("--text-column", "Column of a csv, tsv or jsonl file whose whole text is learnt (default: text).");
    private readonly Option<string?> _prompt = Column("--prompt-column", "Column with prompts, which are read and not learnt (default: prompt).");
    private readonly Option<string?> _completion = Column("--completion-column", "Column with completions, which are learnt (default: completion).");

    public void AddTo(Command command)
    {
        command.Add(_text);
        command.Add(_prompt);
        command.Add(_completion);
        command.Validators.Add(result =>
        {
            if (result.GetResult(_text) is not null && (result.GetResult(_prompt) ?? result.GetResult(_completion)) is not null)
                result.AddError("--text-column excludes --prompt-column and --completion-column.");
        });
    }

    public RowColumns Read(ParseResult parsed) => new(parsed.GetValue(_text), parsed.GetValue(_prompt), parsed.GetValue(_completion));

    private static Option<string?> Column(string name, string description) => new(name) { Description = description, HelpName = "NAME" };
}
