namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>A value that stands in the template.</summary>
internal sealed class ConstantExpression(object? value, int line) : Expression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(Frame frame) => value;
}

/// <summary>A variable.</summary>
internal sealed class NameExpression(string name, int line) : Expression(line)
{
    /// <summary>Its name.</summary>
    public string Name => name;

    /// <inheritdoc/>
    protected override object? Compute(Frame frame) => frame.Get(name);
}

/// <summary><c>value.name</c></summary>
internal sealed class AttributeExpression(Expression target, string name, int line) : Expression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(Frame frame) => Members.GetAttribute(target.Evaluate(frame), name, frame.Budget);
}

/// <summary><c>value[index]</c></summary>
internal sealed class ItemExpression(Expression target, Expression index, int line) : Expression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(Frame frame) => Members.GetItem(target.Evaluate(frame), index.Evaluate(frame), frame.Budget);
}

/// <summary><c>value[start:stop:step]</c>; what is null is left out.</summary>
internal sealed class SliceExpression(Expression target, Expression?[] bounds, int line) : Expression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(Frame frame)
    {
        object? value = target.Evaluate(frame);
        object?[] values = [.. bounds.Select(bound => bound?.Evaluate(frame))];
        return Members.GetSlice(value, values[0], values[1], values[2], frame.Budget);
    }
}

/// <summary><c>value(arguments)</c></summary>
internal sealed class CallExpression(Expression callee, ArgumentList arguments, int line) : Expression(line)
{
    /// <summary>Calls with a <c>caller</c> as well, as <c>{% call %}</c> does.</summary>
    public object? CallWith(Frame frame, Function? caller)
    {
        object? function = callee.Evaluate(frame);
        Arguments given = arguments.Evaluate(frame);
        if (caller is not null)
            given.Named["caller"] = caller;
        return function switch
        {
            Function known => known.Call(frame.Rendering, given),
            LoopContext loop => loop.Recurse(given),
            Undefined undefined => throw undefined.Error(),
            _ => throw new JinjaException($"a value of type '{PythonValues.TypeName(function)}' cannot be called"),
        };
    }

    /// <inheritdoc/>
    protected override object? Compute(Frame frame) => CallWith(frame, null);
}

/// <summary><c>value | name(arguments)</c></summary>
internal sealed class FilterExpression(Expression? input, string name, ArgumentList arguments, int line) : Expression(line)
{
    /// <summary>Filters a value.</summary>
    public object? Apply(object? value, Frame frame) => Filters.Apply(name, frame.Rendering, value, arguments.Evaluate(frame));

    /// <summary>The same filter behind the end of a chain that has no beginning, as in <c>{% set x | trim %}</c>.</summary>
    public TracedText ApplyToText(TracedText text, Frame frame)
    {
        frame.Enter(this);
        TracedText filtered = Printer.Write(Apply(input is FilterExpression inner ? inner.ApplyToText(text, frame) : text, frame), frame.Budget);
        frame.Leave(this);
        return filtered;
    }

    /// <inheritdoc/>
    protected override object? Compute(Frame frame) => Apply(input!.Evaluate(frame), frame);
}

/// <summary><c>value is name(arguments)</c></summary>
internal sealed class TestExpression(Expression input, string name, ArgumentList arguments, int line) : Expression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(Frame frame) => Tests.Apply(name, frame.Rendering, input.Evaluate(frame), arguments.Evaluate(frame));
}

/// <summary><c>first if condition else second</c></summary>
internal sealed class ConditionalExpression(Expression condition, Expression first, Expression? second, int line) : Expression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(Frame frame)
    {
        if (PythonValues.IsTrue(condition.Evaluate(frame)))
            return first.Evaluate(frame);
        return second is null ? new Undefined("an inline 'if' was false and has no 'else'") : second.Evaluate(frame);
    }
}

/// <summary>A list or a tuple.</summary>
internal sealed class SequenceExpression(IReadOnlyList<Expression> items, SequenceKind kind, int line) : Expression(line)
{
    /// <summary>The elements.</summary>
    public IReadOnlyList<Expression> Items => items;

    /// <inheritdoc/>
    protected override object? Compute(Frame frame)
    {
        frame.Budget.Allocate(items.Count);
        return new PythonSequence([.. items.Select(item => item.Evaluate(frame))], kind);
    }
}

/// <summary>A dictionary.</summary>
internal sealed class DictionaryExpression(IReadOnlyList<(Expression Key, Expression Value)> pairs, int line) : Expression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(Frame frame)
    {
        frame.Budget.Allocate(2L * pairs.Count);
        var dictionary = new PythonDictionary();
        foreach ((Expression key, Expression value) in pairs)
            dictionary.Set(key.Evaluate(frame), value.Evaluate(frame));
        return dictionary;
    }
}
