namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>Text outside of tags.</summary>
internal sealed class DataStatement(string text, int line) : Statement(line)
{
    private readonly TracedText _text = TracedText.Of(text);

    /// <inheritdoc/>
    protected override Flow Execute(Frame frame)
    {
        frame.Output.Append(_text);
        return Flow.Next;
    }
}

/// <summary><c>{{ value }}</c></summary>
internal sealed class OutputStatement(Expression value, int line) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Execute(Frame frame)
    {
        frame.Output.Append(Printer.Write(value.Evaluate(frame), frame.Budget));
        return Flow.Next;
    }
}

/// <summary><c>{% if %}</c>, with its <c>elif</c> and <c>else</c>.</summary>
internal sealed class IfStatement(IReadOnlyList<(Expression? Condition, IReadOnlyList<Statement> Body)> branches, int line) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Execute(Frame frame)
    {
        foreach ((Expression? condition, IReadOnlyList<Statement> body) in branches)
        {
            if (condition is null || PythonValues.IsTrue(condition.Evaluate(frame)))
                return RunAll(body, frame);
        }

        return Flow.Next;
    }
}

/// <summary><c>{% set target = value %}</c></summary>
internal sealed class SetStatement(Target target, Expression value, int line) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Execute(Frame frame)
    {
        target.Assign(frame, value.Evaluate(frame));
        return Flow.Next;
    }
}

/// <summary><c>{% set target %}...{% endset %}</c>, with filters or without.</summary>
internal sealed class SetBlockStatement(Target target, FilterExpression? filter, IReadOnlyList<Statement> body, int line) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Execute(Frame frame)
    {
        TracedText text = Capture(body, frame);
        target.Assign(frame, filter is null ? text : filter.ApplyToText(text, frame));
        return Flow.Next;
    }
}

/// <summary><c>{% with name = value %}...{% endwith %}</c></summary>
internal sealed class WithStatement(IReadOnlyList<(Target Target, Expression Value)> variables, IReadOnlyList<Statement> body, int line) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Execute(Frame frame)
    {
        Frame inner = frame.Nest();
        foreach ((Target target, Expression value) in variables)
            target.Assign(inner, value.Evaluate(frame));
        return RunAll(body, inner);
    }
}

/// <summary><c>{% filter name %}...{% endfilter %}</c></summary>
internal sealed class FilterStatement(FilterExpression filter, IReadOnlyList<Statement> body, int line) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Execute(Frame frame)
    {
        frame.Output.Append(filter.ApplyToText(Capture(body, frame), frame));
        return Flow.Next;
    }
}

/// <summary><c>{% generation %}...{% endgeneration %}</c>, transformers' mark of what the model is to write.</summary>
internal sealed class GenerationStatement(IReadOnlyList<Statement> body, int line) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Execute(Frame frame)
    {
        frame.Output.AppendGenerated(Capture(body, frame));
        return Flow.Next;
    }
}

/// <summary><c>{% break %}</c> and <c>{% continue %}</c></summary>
internal sealed class LoopControlStatement(Flow flow, int line) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Execute(Frame frame) => flow;
}

/// <summary><c>{% for target in items if condition %}...{% else %}...{% endfor %}</c></summary>
internal sealed class ForStatement(ForParts parts, int line) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Execute(Frame frame) => RunOver(parts.Items.Evaluate(frame), frame, depth: 0);

    private Flow RunOver(object? value, Frame frame, int depth)
    {
        IEnumerable<object?> items = PythonValues.Iterate(value, frame.Budget);
        if (parts.Condition is not null)
            items = items.Where(item => Passes(item, frame));
        var loop = new LoopContext(items, parts.Condition is null ? PythonValues.TryLength(value) : null, parts.IsRecursive ? Recurse : null, depth, frame.Budget);
        bool wasEmpty = true;
        while (loop.MoveNext(out object? item))
        {
            wasEmpty = false;
            Frame inner = frame.Nest();
            inner.Set("loop", loop);
            parts.Target.Assign(inner, item);
            if (RunAll(parts.Body, inner) == Flow.Break)
                break;
        }

        // Jinja's 'else' is for no items, not for a loop without a break as Python's.
        return wasEmpty ? RunAll(parts.Else, frame.Nest()) : Flow.Next;

        object? Recurse(Arguments arguments, int deeper)
        {
            Frame captured = frame.Redirect();
            captured.Enter(this);
            RunOver(arguments.Bind("loop", "iterable").Require("iterable"), captured, deeper);
            captured.Leave(this);
            return captured.Output.ToText();
        }
    }

    private bool Passes(object? item, Frame frame)
    {
        Frame inner = frame.Nest();
        parts.Target.Assign(inner, item);
        return PythonValues.IsTrue(parts.Condition!.Evaluate(inner));
    }
}

/// <summary>What a loop is made of.</summary>
/// <param name="Target">Receives each item.</param>
/// <param name="Items">What the loop goes over.</param>
/// <param name="Condition">Which items it takes; null for all.</param>
/// <param name="IsRecursive">Whether it may be run within itself, over other items.</param>
/// <param name="Body">What is done for each item.</param>
/// <param name="Else">What is done where there is no item.</param>
internal sealed record ForParts(Target Target, Expression Items, Expression? Condition, bool IsRecursive, IReadOnlyList<Statement> Body, IReadOnlyList<Statement> Else);
