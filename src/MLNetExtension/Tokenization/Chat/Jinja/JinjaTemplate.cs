namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>A Jinja template as transformers runs it: a small interpreter, since a template is a stranger's program and must be bounded in steps, depth and output.</summary>
/// <remarks>The language is that of Jinja 3.1 in its immutable sandbox, without what only templates of several files need. Any number of threads may use one.</remarks>
internal sealed class JinjaTemplate
{
    // A hundred times the length of the longest published ones.
    private const int MaximumLength = 1_000_000;

    private readonly IReadOnlyList<Statement> _body;

    private JinjaTemplate(string name, IReadOnlyList<Statement> body, bool hasGeneration)
    {
        Name = name;
        _body = body;
        HasGeneration = hasGeneration;
    }

    /// <summary>What messages call the template.</summary>
    public string Name { get; }

    /// <summary>Whether it marks what the model is to write: <c>{% generation %}</c>.</summary>
    public bool HasGeneration { get; }

    /// <summary>Reads a template.</summary>
    /// <param name="source">Its text.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="InvalidDataException">It is no template, is longer than a million characters, or nests too deeply; the message names it and the line.</exception>
    /// <exception cref="NotSupportedException">It has a tag that is not supported.</exception>
    public static JinjaTemplate Parse(string source, string name)
    {
        if (source.Length > MaximumLength)
            throw new InvalidDataException(FormattableString.Invariant($"{name}: the template has {source.Length} characters, expected at most {MaximumLength}."));
        try
        {
            (IReadOnlyList<Statement> body, bool hasGeneration) = TemplateParser.Parse(source);
            return new JinjaTemplate(name, body, hasGeneration);
        }
        catch (JinjaException error)
        {
            throw CreateError(name, error.Line, error);
        }
    }

    /// <summary>Renders the template.</summary>
    /// <param name="variables">The variables that it is given.</param>
    /// <param name="budget">What it may use up, over all the renderings that share it.</param>
    /// <param name="now">The local time.</param>
    /// <returns>What it writes.</returns>
    /// <exception cref="InvalidDataException">It does not fit what it is given, refuses it, or uses more than the budget; the message names the template and the line.</exception>
    /// <exception cref="NotSupportedException">It uses what Jinja has and this library has not.</exception>
    public TracedText Render(IReadOnlyDictionary<string, object?> variables, RenderBudget budget, DateTimeOffset now)
    {
        var rendering = new Rendering(budget, now);
        budget.Restart();
        try
        {
            Frame frame = Frame.Create(rendering, variables);
            Statement.RunAll(_body, frame);
            return frame.Output.ToText();
        }
        catch (JinjaException error)
        {
            throw CreateError(Name, error.Line == 0 ? rendering.Line : error.Line, error);
        }
    }

    private static Exception CreateError(string name, int line, JinjaException error)
    {
        string place = FormattableString.Invariant($"{name}, line {line}");
        return error.Fault switch
        {
            JinjaFault.NotSupported => new NotSupportedException($"{place}: {error.Message}.", error),
            JinjaFault.Limit => new InvalidDataException($"{place}: the template is stopped, since {error.Message}.", error),
            JinjaFault.Raised => new InvalidDataException($"{place}: the template refuses the chat: {error.Message}", error),
            _ => new InvalidDataException($"{place}: {error.Message}.", error),
        };
    }
}
