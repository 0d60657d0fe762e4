namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>Reads expressions, from the loosest operator to the tightest, as Jinja binds them.</summary>
internal sealed class ExpressionParser
{
    private static readonly string[] Comparisons = ["==", "!=", "<", "<=", ">", ">="];

    private readonly TokenReader _tokens;

    /// <summary>Reads from tokens.</summary>
    public ExpressionParser(TokenReader tokens) => (_tokens, Operands) = (tokens, new OperandParser(tokens, this));

    /// <summary>Reads what stands between the operators.</summary>
    public OperandParser Operands { get; }

    /// <summary>Reads one expression, or several with commas between them as a tuple.</summary>
    /// <param name="allowsCondition">Whether an inline <c>if</c> may follow.</param>
    public Expression ReadTuple(bool allowsCondition = true)
    {
        int line = _tokens.Line;
        Expression first = ReadExpression(allowsCondition);
        if (!_tokens.Is(","))
            return first;
        List<Expression> items = [first];
        while (_tokens.TryTake(","))
        {
            if (EndsTuple())
                break;
            items.Add(ReadExpression(allowsCondition));
        }

        return new SequenceExpression(items, SequenceKind.Tuple, line);
    }

    /// <summary>Reads one expression.</summary>
    public Expression ReadExpression(bool allowsCondition = true)
    {
        _tokens.Enter();
        Expression value = allowsCondition ? ReadConditional() : ReadOr();
        _tokens.Leave();
        return value;
    }

    private bool EndsTuple() => _tokens.Current.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd || _tokens.Is(")") || _tokens.IsName("recursive");

    private Expression ReadConditional()
    {
        Expression value = ReadOr();
        while (_tokens.IsName("if"))
        {
            int line = _tokens.Take().Line;
            Expression condition = ReadOr();
            _tokens.Enter();
            Expression? otherwise = _tokens.TryTakeName("else") ? ReadConditional() : null;
            _tokens.Leave();
            value = new ConditionalExpression(condition, value, otherwise, line);
        }

        return value;
    }

    private Expression ReadOr()
    {
        Expression left = ReadAnd();
        while (_tokens.IsName("or"))
            left = new LogicalExpression(isAnd: false, left, Behind(ReadAnd), _tokens.Line);
        return left;
    }

    private Expression ReadAnd()
    {
        Expression left = ReadNot();
        while (_tokens.IsName("and"))
            left = new LogicalExpression(isAnd: true, left, Behind(ReadNot), _tokens.Line);
        return left;
    }

    private Expression ReadNot()
    {
        if (!_tokens.IsName("not"))
            return ReadComparison();
        _tokens.Enter();
        int line = _tokens.Take().Line;
        var value = new UnaryExpression("not", ReadNot(), line);
        _tokens.Leave();
        return value;
    }

    private Expression ReadComparison()
    {
        int line = _tokens.Line;
        Expression first = ReadSum();
        List<(string Symbol, Expression Operand)> others = [];
        while (true)
        {
            if (_tokens.Current.Kind == TokenKind.Operator && Comparisons.Contains(_tokens.Current.Text))
                others.Add((_tokens.Take().Text, ReadSum()));
            else if (_tokens.TryTakeName("in"))
                others.Add(("in", ReadSum()));
            else if (_tokens.IsName("not") && _tokens.Next.IsName("in"))
                others.Add((_tokens.Take().Text + " " + _tokens.Take().Text, ReadSum()));
            else
                return others.Count == 0 ? first : new ComparisonExpression(first, others, line);
        }
    }

    private Expression ReadSum() => ReadBinary(ReadConcatenation, "+", "-");

    private Expression ReadConcatenation()
    {
        int line = _tokens.Line;
        List<Expression> operands = [ReadProduct()];
        while (_tokens.TryTake("~"))
            operands.Add(ReadProduct());
        return operands.Count == 1 ? operands[0] : new ConcatenationExpression(operands, line);
    }

    private Expression ReadProduct() => ReadBinary(ReadPower, "*", "/", "//", "%");

    private Expression ReadPower() => ReadBinary(Operands.Read, "**");

    private Expression ReadBinary(Func<Expression> readOperand, params string[] symbols)
    {
        Expression left = readOperand();
        while (_tokens.Current.Kind == TokenKind.Operator && symbols.Contains(_tokens.Current.Text))
        {
            Token symbol = _tokens.Take();
            left = new BinaryExpression(symbol.Text, left, readOperand(), symbol.Line);
        }

        return left;
    }

    // Takes the keyword that stands here.
    private Expression Behind(Func<Expression> read)
    {
        _tokens.Take();
        return read();
    }
}
