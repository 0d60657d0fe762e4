using System.Globalization;

namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>Reads what stands between the operators of an expression: constants, names, lists, calls and items of them, filters and tests.</summary>
/// <param name="tokens">Where they are read.</param>
/// <param name="expressions">Reads what stands in brackets.</param>
internal sealed class OperandParser(TokenReader tokens, ExpressionParser expressions)
{
    /// <summary>The names that were read since this was last set; null where nobody asks.</summary>
    public HashSet<string>? Names { get; set; }

    /// <summary>Reads an operand with its sign, and the filters and tests behind it.</summary>
    public Expression Read() => ReadUnary(withFilters: true);

    /// <summary>Reads filters that follow a bar, or the first of them without one.</summary>
    /// <param name="input">What is filtered; null where that comes later.</param>
    /// <param name="hasBar">Whether a bar stands before the first.</param>
    public FilterExpression? ReadFilters(Expression? input, bool hasBar = true)
    {
        FilterExpression? filter = null;
        while (!hasBar || tokens.TryTake("|"))
        {
            int line = tokens.Line;
            string name = ReadDottedName();
            filter = new FilterExpression(filter ?? input, name, tokens.Is("(") ? ReadArguments() : ArgumentList.Empty, line);
            hasBar = true;
        }

        return filter;
    }

    private Expression ReadUnary(bool withFilters)
    {
        Expression value;
        if (tokens.Is("-") || tokens.Is("+"))
        {
            tokens.Enter();
            Token symbol = tokens.Take();
            value = new UnaryExpression(symbol.Text, ReadUnary(withFilters: false), symbol.Line);
            tokens.Leave();
        }
        else
        {
            value = ReadPrimary();
        }

        value = ReadPostfix(value);
        return withFilters ? ReadFiltersAndTests(value) : value;
    }

    private Expression ReadPrimary()
    {
        Token token = tokens.Take();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return token.Text switch
                {
                    "true" or "True" => new ConstantExpression(true, token.Line),
                    "false" or "False" => new ConstantExpression(false, token.Line),
                    "none" or "None" => new ConstantExpression(null, token.Line),
                    _ => ReadName(token),
                };
            case TokenKind.String:
                string text = token.Text;
                while (tokens.Current.Kind == TokenKind.String)
                    text += tokens.Take().Text;
                return new ConstantExpression(TracedText.Of(text), token.Line);
            case TokenKind.Integer:
                return new ConstantExpression(Integer(token), token.Line);
            case TokenKind.Float:
                return new ConstantExpression(double.Parse(token.Text, NumberStyles.Float, CultureInfo.InvariantCulture), token.Line);
            case TokenKind.Operator when token.Text == "(":
                return ReadParentheses(token.Line);
            case TokenKind.Operator when token.Text == "[":
                return new SequenceExpression(ReadItems("]", () => expressions.ReadExpression()), SequenceKind.List, token.Line);
            case TokenKind.Operator when token.Text == "{":
                return new DictionaryExpression(ReadItems("}", ReadPair), token.Line);
            default:
                throw tokens.Error($"found {token.Description}, expected an expression", token.Line);
        }
    }

    private NameExpression ReadName(Token token)
    {
        Names?.Add(token.Text);
        return new NameExpression(token.Text, token.Line);
    }

    private object Integer(Token token)
    {
        int radix = token.Text.Length < 2 || token.Text[0] != '0' ? 10 : char.ToLowerInvariant(token.Text[1]) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 10 };
        try
        {
            return radix == 10 ? long.Parse(token.Text, CultureInfo.InvariantCulture) : Convert.ToInt64(token.Text[2..], radix);
        }
        catch (OverflowException)
        {
            throw tokens.Error("a number has more than 64 bits", token.Line);
        }
    }

    private Expression ReadParentheses(int line)
    {
        if (tokens.TryTake(")"))
            return new SequenceExpression([], SequenceKind.Tuple, line);
        Expression value = expressions.ReadTuple();
        tokens.Expect(")");
        return value;
    }

    private List<T> ReadItems<T>(string end, Func<T> read)
    {
        List<T> items = [];
        while (!tokens.Is(end))
        {
            if (items.Count > 0)
                tokens.Expect(",");
            if (tokens.Is(end))
                break;
            items.Add(read());
        }

        tokens.Expect(end);
        return items;
    }

    private (Expression Key, Expression Value) ReadPair()
    {
        Expression key = expressions.ReadExpression();
        tokens.Expect(":");
        return (key, expressions.ReadExpression());
    }

    private Expression ReadPostfix(Expression value)
    {
        while (true)
        {
            if (tokens.Is("(") || tokens.Is("[") || tokens.Is("."))
                value = tokens.Is("(") ? new CallExpression(value, ReadArguments(), tokens.Line) : ReadSubscript(value);
            else
                return value;
        }
    }

    private Expression ReadFiltersAndTests(Expression value)
    {
        while (true)
        {
            if (tokens.Is("|"))
                value = ReadFilters(value)!;
            else if (tokens.IsName("is"))
                value = ReadTest(value);
            else if (tokens.Is("("))
                value = new CallExpression(value, ReadArguments(), tokens.Line);
            else
                return value;
        }
    }

    private Expression ReadSubscript(Expression target)
    {
        int line = tokens.Line;
        if (tokens.TryTake("."))
        {
            Token name = tokens.Take();
            return name.Kind switch
            {
                TokenKind.Name => new AttributeExpression(target, name.Text, line),
                TokenKind.Integer => new ItemExpression(target, new ConstantExpression(Integer(name), line), line),
                _ => throw tokens.Error($"found {name.Description} behind a point, expected a name or a number", line),
            };
        }

        tokens.Expect("[");
        Expression?[] bounds = new Expression?[3];
        int colons = 0;
        while (!tokens.Is("]"))
        {
            if (tokens.TryTake(":") && ++colons > 2)
                throw tokens.Error("a slice has more than three parts", line);
            if (!tokens.Is("]") && !tokens.Is(":"))
                bounds[colons] = bounds[colons] is null ? expressions.ReadExpression() : throw tokens.Error($"found {tokens.Current.Description}, expected ']'", line);
        }

        tokens.Expect("]");
        if (colons > 0)
            return new SliceExpression(target, bounds, line);
        return new ItemExpression(target, bounds[0] ?? throw tokens.Error("an index is missing", line), line);
    }

    private ArgumentList ReadArguments()
    {
        tokens.Expect("(");
        List<Expression> positional = [];
        List<(string Name, Expression Value)> named = [];
        Expression? rest = null, namedRest = null;
        bool isFirst = true;
        while (!tokens.Is(")"))
        {
            if (!isFirst)
                tokens.Expect(",");
            isFirst = false;
            if (tokens.Is(")"))
                break;
            if (rest is null && namedRest is null && tokens.TryTake("*"))
                rest = expressions.ReadExpression();
            else if (namedRest is null && tokens.TryTake("**"))
                namedRest = expressions.ReadExpression();
            else if (namedRest is null && tokens.Current.Kind == TokenKind.Name && tokens.Next.Is("="))
                named.Add((ReadNamed(), expressions.ReadExpression()));
            else if (rest is null && namedRest is null && named.Count == 0)
                positional.Add(expressions.ReadExpression());
            else
                throw tokens.Error("the arguments of a call are in a wrong order", tokens.Line);
        }

        tokens.Expect(")");
        return new ArgumentList(positional, named, rest, namedRest);
    }

    private string ReadNamed()
    {
        string name = tokens.Take().Text;
        tokens.Expect("=");
        return name;
    }

    private Expression ReadTest(Expression value)
    {
        int line = tokens.Take().Line;
        bool isNegated = tokens.TryTakeName("not");
        string name = ReadDottedName();
        ArgumentList arguments = tokens.Is("(") ? ReadArguments()
            : TakesArgument() ? new ArgumentList([ReadPostfix(ReadPrimary())], [], null, null)
            : ArgumentList.Empty;
        var test = new TestExpression(value, name, arguments, line);
        return isNegated ? new UnaryExpression("not", test, line) : test;
    }

    // An argument without brackets: a name, a value, a list or a dictionary.
    private bool TakesArgument()
    {
        if (tokens.IsName("is"))
            throw tokens.Error("tests cannot be chained with 'is'", tokens.Line);
        return tokens.Current.Kind is TokenKind.String or TokenKind.Integer or TokenKind.Float || tokens.Is("[") || tokens.Is("{")
            || (tokens.Current.Kind == TokenKind.Name && tokens.Current.Text is not ("else" or "or" or "and"));
    }

    private string ReadDottedName()
    {
        string name = tokens.ExpectName();
        while (tokens.TryTake("."))
            name += "." + tokens.ExpectName();
        return name;
    }
}
