namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary><c>{% macro name(parameters) %}...{% endmacro %}</c></summary>
internal sealed class MacroStatement(string name, MacroParts parts, int line) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Execute(Frame frame)
    {
        frame.Set(name, Macro.Create(name, parts, frame, this));
        return Flow.Next;
    }
}

/// <summary><c>{% call macro() %}...{% endcall %}</c>: the macro may ask for the body, by <c>caller()</c>.</summary>
internal sealed class CallStatement(CallExpression call, MacroParts caller, int line) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Execute(Frame frame)
    {
        frame.Output.Append(Printer.Write(call.CallWith(frame, Macro.Create("caller", caller, frame, this)), frame.Budget));
        return Flow.Next;
    }
}

/// <summary>What a macro is made of.</summary>
/// <param name="Parameters">The parameters, and their defaults.</param>
/// <param name="Body">What it writes.</param>
/// <param name="Names">The names that stand in the body: whether it asks for arguments beyond its parameters.</param>
internal sealed record MacroParts(IReadOnlyList<(string Name, Expression? Default)> Parameters, IReadOnlyList<Statement> Body, IReadOnlySet<string> Names);

/// <summary>Macros as values.</summary>
internal static class Macro
{
    /// <summary>Makes a macro that sees the variables of the place where it stands.</summary>
    public static Function Create(string name, MacroParts parts, Frame frame, Node node) => new(name, (_, arguments) =>
    {
        Frame inner = frame.Redirect();
        inner.Enter(node);
        Bind(name, parts, inner, arguments);
        Statement.RunAll(parts.Body, inner);
        inner.Leave(node);
        return inner.Output.ToText();
    });

    private static void Bind(string name, MacroParts parts, Frame inner, Arguments arguments)
    {
        var named = new Dictionary<string, object?>(arguments.Named);
        for (int i = 0; i < parts.Parameters.Count; i++)
        {
            (string parameter, Expression? defaultValue) = parts.Parameters[i];
            object? value = i < arguments.Positional.Count ? arguments.Positional[i]
                : named.Remove(parameter, out object? given) ? given
                : defaultValue is not null ? defaultValue.Evaluate(inner)
                : new Undefined($"the parameter '{parameter}' was not given");
            inner.Set(parameter, value);
        }

        if (parts.Parameters.All(parameter => parameter.Name != "caller"))
        {
            bool wasGiven = named.Remove("caller", out object? caller);
            if (parts.Names.Contains("caller"))
                inner.Set("caller", wasGiven ? caller : new Undefined("no caller is defined"));
            else if (wasGiven)
                throw new JinjaException($"the macro '{Files.Excerpt.Of(name)}' takes no 'caller'");
        }

        BindRest(name, parts, inner, arguments.Positional.Skip(parts.Parameters.Count), named);
    }

    private static void BindRest(string name, MacroParts parts, Frame inner, IEnumerable<object?> positional, Dictionary<string, object?> named)
    {
        List<object?> rest = [.. positional];
        if (parts.Names.Contains("varargs"))
            inner.Set("varargs", new PythonSequence(rest, SequenceKind.Tuple));
        else if (rest.Count > 0)
            throw new JinjaException($"the macro '{Files.Excerpt.Of(name)}' takes at most {parts.Parameters.Count} arguments");
        if (!parts.Names.Contains("kwargs"))
        {
            if (named.Count > 0)
                throw new JinjaException($"the macro '{Files.Excerpt.Of(name)}' takes no argument '{Files.Excerpt.Of(named.Keys.First())}'");
            return;
        }

        var dictionary = new PythonDictionary();
        foreach ((string key, object? value) in named)
            dictionary.Set(TracedText.Of(key), value);
        inner.Set("kwargs", dictionary);
    }
}
