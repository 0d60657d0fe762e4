namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>What a call is given.</summary>
internal sealed class Arguments
{
    /// <summary>The arguments by place.</summary>
    public List<object?> Positional { get; } = [];

    /// <summary>The arguments by name.</summary>
    public Dictionary<string, object?> Named { get; } = [];

    /// <summary>Sorts the arguments by the names of parameters.</summary>
    /// <param name="function">What messages call the function.</param>
    /// <param name="names">The parameters, in order.</param>
    /// <returns>The arguments by those names.</returns>
    /// <exception cref="JinjaException">There are too many arguments, or one has another name.</exception>
    public Bound Bind(string function, params string[] names)
    {
        if (Positional.Count > names.Length)
            throw new JinjaException($"'{function}' takes at most {names.Length} arguments, and got {Positional.Count}");
        var values = new Dictionary<string, object?>();
        for (int i = 0; i < Positional.Count; i++)
            values[names[i]] = Positional[i];
        foreach ((string name, object? value) in Named)
        {
            if (!names.Contains(name) || !values.TryAdd(name, value))
                throw new JinjaException($"'{function}' takes no argument '{Files.Excerpt.Of(name)}' here");
        }

        return new Bound(function, values);
    }

    /// <summary>Arguments by the names of parameters.</summary>
    internal sealed class Bound(string function, Dictionary<string, object?> values)
    {
        /// <summary>Whether there is such an argument.</summary>
        public bool Has(string name) => values.ContainsKey(name);

        /// <summary>An argument; where it is missing, a default.</summary>
        public object? Get(string name, object? defaultValue = null) => values.TryGetValue(name, out object? value) ? value : defaultValue;

        /// <summary>An argument that must be there.</summary>
        public object? Require(string name) => values.TryGetValue(name, out object? value) ? value : throw new JinjaException($"'{function}' needs the argument '{name}'");

        /// <summary>A text; null where it is missing or none.</summary>
        public TracedText? Text(string name) => Get(name) switch
        {
            null => null,
            TracedText text => text,
            var other => throw Unexpected(name, other, "a string"),
        };

        /// <summary>A text that must be there.</summary>
        public TracedText RequireText(string name) => Require(name) as TracedText ?? throw Unexpected(name, Get(name), "a string");

        /// <summary>A whole number; where it is missing, a default.</summary>
        public long Integer(string name, long defaultValue) => Has(name) ? PythonValues.AsInteger(Get(name)) ?? throw Unexpected(name, Get(name), "a whole number") : defaultValue;

        /// <summary>Whether an argument is true; where it is missing, a default.</summary>
        public bool Flag(string name, bool defaultValue = false) => Has(name) ? PythonValues.IsTrue(Get(name)) : defaultValue;

        private JinjaException Unexpected(string name, object? value, string expected) =>
            new($"the argument '{name}' of '{function}' is of type '{PythonValues.TypeName(value)}', expected {expected}");
    }
}

/// <summary>The arguments of a call as they stand in the template.</summary>
/// <param name="positional">By place.</param>
/// <param name="named">By name.</param>
/// <param name="rest">A list of more, <c>*list</c>; null for none.</param>
/// <param name="namedRest">A dictionary of more, <c>**dictionary</c>; null for none.</param>
internal sealed class ArgumentList(IReadOnlyList<Expression> positional, IReadOnlyList<(string Name, Expression Value)> named, Expression? rest, Expression? namedRest)
{
    /// <summary>No arguments.</summary>
    public static ArgumentList Empty { get; } = new([], [], null, null);

    /// <summary>Gives their values.</summary>
    public Arguments Evaluate(Frame frame)
    {
        var arguments = new Arguments();
        foreach (Expression argument in positional)
            arguments.Positional.Add(argument.Evaluate(frame));
        if (rest is not null)
            arguments.Positional.AddRange(PythonValues.ToList(rest.Evaluate(frame), frame.Budget));
        foreach ((string name, Expression value) in named)
            Add(arguments, name, value.Evaluate(frame));
        if (namedRest?.Evaluate(frame) is { } more)
        {
            foreach ((object? key, object? value) in (more as PythonDictionary ?? throw new JinjaException("the argument behind '**' is no dictionary")).Pairs)
                Add(arguments, (key as TracedText ?? throw new JinjaException("a key of the argument behind '**' is no string")).Value, value);
        }

        return arguments;
    }

    private static void Add(Arguments arguments, string name, object? value)
    {
        if (!arguments.Named.TryAdd(name, value))
            throw new JinjaException($"the argument '{Files.Excerpt.Of(name)}' is there twice");
    }
}
