namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary><c>not value</c>, <c>-value</c> and <c>+value</c></summary>
internal sealed class UnaryExpression(string symbol, Expression operand, int line) : Expression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(Frame frame)
    {
        object? value = operand.Evaluate(frame);
        return symbol == "not" ? !PythonValues.IsTrue(value) : Arithmetic.Negate(symbol, value);
    }
}

/// <summary><c>+ - * / // % **</c></summary>
internal sealed class BinaryExpression(string symbol, Expression left, Expression right, int line) : Expression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(Frame frame) => Arithmetic.Compute(symbol, left.Evaluate(frame), right.Evaluate(frame), frame.Budget);
}

/// <summary><c>and</c> and <c>or</c>, which give one of their operands.</summary>
internal sealed class LogicalExpression(bool isAnd, Expression left, Expression right, int line) : Expression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(Frame frame)
    {
        object? value = left.Evaluate(frame);
        return PythonValues.IsTrue(value) == isAnd ? right.Evaluate(frame) : value;
    }
}

/// <summary><c>a ~ b ~ c</c>: the operands as texts, put together.</summary>
internal sealed class ConcatenationExpression(IReadOnlyList<Expression> operands, int line) : Expression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(Frame frame)
    {
        var result = new TracedTextBuilder(frame.Budget);
        foreach (Expression operand in operands)
            result.Append(Printer.Write(operand.Evaluate(frame), frame.Budget));
        return result.ToText();
    }
}

/// <summary><c>a == b &lt; c</c>: each operand is compared with the next, as far as that holds.</summary>
internal sealed class ComparisonExpression(Expression first, IReadOnlyList<(string Symbol, Expression Operand)> others, int line) : Expression(line)
{
    /// <summary>Compares two values.</summary>
    public static bool Holds(string symbol, object? left, object? right, RenderBudget budget)
    {
        switch (symbol)
        {
            case "==":
                return ValueEquality.AreEqual(left, right, budget);
            case "!=":
                return !ValueEquality.AreEqual(left, right, budget);
            case "in":
                return PythonValues.Contains(right, left, budget);
            case "not in":
                return !PythonValues.Contains(right, left, budget);
        }

        return PythonValues.Compare(left, right, budget) is { } order && symbol switch
        {
            "<" => order < 0,
            "<=" => order <= 0,
            ">" => order > 0,
            _ => order >= 0,
        };
    }

    /// <inheritdoc/>
    protected override object? Compute(Frame frame)
    {
        object? left = first.Evaluate(frame);
        foreach ((string symbol, Expression operand) in others)
        {
            object? right = operand.Evaluate(frame);
            if (!Holds(symbol, left, right, frame.Budget))
                return false;
            left = right;
        }

        return true;
    }
}
