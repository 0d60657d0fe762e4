namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>Reads a template: text, <c>{{ }}</c> and <c>{% %}</c>.</summary>
internal sealed class TemplateParser
{
    // Jinja's tags for templates of several files, of which a chat template is one.
    private static readonly string[] Missing = ["autoescape", "block", "do", "extends", "from", "import", "include", "trans"];

    private readonly TokenReader _tokens;
    private readonly ExpressionParser _expressions;
    private int _loops;

    private TemplateParser(TokenReader tokens)
    {
        _tokens = tokens;
        _expressions = new ExpressionParser(tokens);
    }

    /// <summary>Whether <c>{% generation %}</c> was read.</summary>
    private bool HasGeneration { get; set; }

    /// <summary>Reads a template.</summary>
    /// <returns>What it is made of, and whether it marks what the model is to write.</returns>
    public static (IReadOnlyList<Statement> Body, bool HasGeneration) Parse(string source)
    {
        var parser = new TemplateParser(new TokenReader(Lexer.Split(source)));
        IReadOnlyList<Statement> body = parser.ReadBody([]);
        return (body, parser.HasGeneration);
    }

    // Up to one of the tags that end the body, of which '{%' is read and the name is not.
    private List<Statement> ReadBody(string[] ends)
    {
        _tokens.Enter();
        List<Statement> body = [];
        while (true)
        {
            Token token = _tokens.Take();
            switch (token.Kind)
            {
                case TokenKind.Data:
                    body.Add(new DataStatement(token.Text, token.Line));
                    break;
                case TokenKind.VariableBegin:
                    body.Add(new OutputStatement(_expressions.ReadTuple(), token.Line));
                    _tokens.Expect(TokenKind.VariableEnd, "'}}'");
                    break;
                case TokenKind.BlockBegin when _tokens.Current.Kind == TokenKind.Name && ends.Contains(_tokens.Current.Text):
                    _tokens.Leave();
                    return body;
                case TokenKind.BlockBegin:
                    body.Add(ReadStatement());
                    _tokens.Expect(TokenKind.BlockEnd, "'%}'");
                    break;
                case TokenKind.End when ends.Length == 0:
                    _tokens.Leave();
                    return body;
                default:
                    throw _tokens.Error($"the template ends, expected {string.Join(" or ", ends.Select(end => $"'{{% {end} %}}'"))}", token.Line);
            }
        }
    }

    // A body, and the tag that ends it.
    private List<Statement> ReadBlock(string end)
    {
        _tokens.TryTake(":");
        _tokens.Expect(TokenKind.BlockEnd, "'%}'");
        List<Statement> body = ReadBody([end]);
        _tokens.ExpectName(end);
        return body;
    }

    private Statement ReadStatement()
    {
        int line = _tokens.Line;
        string tag = _tokens.ExpectName();
        return tag switch
        {
            "if" => ReadIf(line),
            "for" => ReadFor(line),
            "set" => ReadSet(line),
            "macro" => ReadMacro(line),
            "call" => ReadCall(line),
            "filter" => new FilterStatement(_expressions.Operands.ReadFilters(null, hasBar: false)!, ReadBlock("endfilter"), line),
            "with" => ReadWith(line),
            "generation" => ReadGeneration(line),
            "print" => new OutputStatement(_expressions.ReadTuple(), line),
            "break" or "continue" when _loops == 0 => throw _tokens.Error($"'{tag}' stands outside of a loop", line),
            "break" => new LoopControlStatement(Flow.Break, line),
            "continue" => new LoopControlStatement(Flow.Continue, line),
            _ when Missing.Contains(tag) => throw new JinjaException($"the tag '{tag}' is not supported", JinjaFault.NotSupported, line),
            _ => throw _tokens.Error($"found the tag '{Files.Excerpt.Of(tag)}', which is not known here", line),
        };
    }

    private IfStatement ReadIf(int line)
    {
        List<(Expression? Condition, IReadOnlyList<Statement> Body)> branches = [];
        Expression? condition = _expressions.ReadTuple(allowsCondition: false);
        while (true)
        {
            _tokens.TryTake(":");
            _tokens.Expect(TokenKind.BlockEnd, "'%}'");
            branches.Add((condition, ReadBody(condition is null ? ["endif"] : ["elif", "else", "endif"])));
            string next = _tokens.ExpectName();
            if (next == "endif")
                return new IfStatement(branches, line);
            condition = next == "elif" ? _expressions.ReadTuple(allowsCondition: false) : null;
        }
    }

    private ForStatement ReadFor(int line)
    {
        Target target = ReadTarget(allowsNamespace: false);
        _tokens.ExpectName("in");
        Expression items = _expressions.ReadTuple(allowsCondition: false);
        Expression? condition = _tokens.TryTakeName("if") ? _expressions.ReadExpression() : null;
        bool isRecursive = _tokens.TryTakeName("recursive");
        _tokens.TryTake(":");
        _tokens.Expect(TokenKind.BlockEnd, "'%}'");
        _loops++;
        List<Statement> body = ReadBody(["else", "endfor"]);
        _loops--;
        List<Statement> otherwise = _tokens.TryTakeName("else") ? ReadBlock("endfor") : [];
        if (otherwise.Count == 0)
            _tokens.TryTakeName("endfor");
        return new ForStatement(new ForParts(target, items, condition, isRecursive, body, otherwise), line);
    }

    private Statement ReadSet(int line)
    {
        Target target = ReadTarget(allowsNamespace: true);
        if (_tokens.TryTake("="))
            return new SetStatement(target, _expressions.ReadTuple(), line);
        FilterExpression? filter = _expressions.Operands.ReadFilters(null);
        return new SetBlockStatement(target, filter, ReadBlock("endset"), line);
    }

    private MacroStatement ReadMacro(int line)
    {
        string name = _tokens.ExpectName();
        return new MacroStatement(name, ReadMacroParts(ReadParameters(), "endmacro"), line);
    }

    private CallStatement ReadCall(int line)
    {
        IReadOnlyList<(string Name, Expression? Default)> parameters = _tokens.Is("(") ? ReadParameters() : [];
        CallExpression call = _expressions.ReadExpression() as CallExpression ?? throw _tokens.Error("'{% call %}' needs the call of a macro", line);
        return new CallStatement(call, ReadMacroParts(parameters, "endcall"), line);
    }

    private MacroParts ReadMacroParts(IReadOnlyList<(string Name, Expression? Default)> parameters, string end)
    {
        HashSet<string>? outer = _expressions.Operands.Names;
        HashSet<string> names = _expressions.Operands.Names = [];
        int loops = _loops;
        _loops = 0; // those around a macro are not its own
        List<Statement> body = ReadBlock(end);
        _loops = loops;
        outer?.UnionWith(names);
        _expressions.Operands.Names = outer;
        return new MacroParts(parameters, body, names);
    }

    private List<(string Name, Expression? Default)> ReadParameters()
    {
        _tokens.Expect("(");
        List<(string Name, Expression? Default)> parameters = [];
        while (!_tokens.Is(")"))
        {
            if (parameters.Count > 0)
                _tokens.Expect(",");
            int line = _tokens.Line;
            string name = _tokens.ExpectName();
            Expression? defaultValue = _tokens.TryTake("=") ? _expressions.ReadExpression() : null;
            if (defaultValue is null && parameters.Any(parameter => parameter.Default is not null))
                throw _tokens.Error($"the parameter '{Files.Excerpt.Of(name)}' has no default and stands behind one that has", line);
            parameters.Add((name, defaultValue));
        }

        _tokens.Expect(")");
        return parameters;
    }

    private WithStatement ReadWith(int line)
    {
        List<(Target Target, Expression Value)> variables = [];
        while (_tokens.Current.Kind != TokenKind.BlockEnd)
        {
            if (variables.Count > 0)
                _tokens.Expect(",");
            Target target = ReadTarget(allowsNamespace: false);
            _tokens.Expect("=");
            variables.Add((target, _expressions.ReadExpression()));
        }

        return new WithStatement(variables, ReadBlock("endwith"), line);
    }

    private GenerationStatement ReadGeneration(int line)
    {
        HasGeneration = true;
        return new GenerationStatement(ReadBlock("endgeneration"), line);
    }

    private Target ReadTarget(bool allowsNamespace)
    {
        List<Target> targets = [ReadSingleTarget(allowsNamespace)];
        bool isTuple = false;
        while (_tokens.TryTake(","))
        {
            isTuple = true;
            if (_tokens.IsName("in") || _tokens.Is("="))
                break;
            targets.Add(ReadSingleTarget(allowsNamespace));
        }

        return isTuple ? new Target.Tuple(targets) : targets[0];
    }

    private Target ReadSingleTarget(bool allowsNamespace)
    {
        if (_tokens.TryTake("("))
        {
            _tokens.Enter();
            Target inner = ReadTarget(allowsNamespace);
            _tokens.Leave();
            _tokens.Expect(")");
            return inner;
        }

        Token name = _tokens.Expect(TokenKind.Name, "a name");
        if (name.Text is "true" or "false" or "none" or "True" or "False" or "None")
            throw _tokens.Error($"'{name.Text}' is assigned, which is no variable", name.Line);
        return allowsNamespace && _tokens.TryTake(".") ? new Target.NamespaceAttribute(name.Text, _tokens.ExpectName()) : new Target.Variable(name.Text);
    }
}
