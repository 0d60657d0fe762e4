namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>Python's arithmetic of numbers, strings and lists.</summary>
internal static class Arithmetic
{
    /// <summary><c>-value</c> or <c>+value</c></summary>
    public static object Negate(string symbol, object? value)
    {
        if (value is Undefined undefined)
            throw undefined.Error();
        if (PythonValues.AsInteger(value) is { } integer)
            return symbol == "-" ? Checked(() => checked(-integer)) : integer;
        double number = PythonValues.AsNumber(value) ?? throw new JinjaException($"'{symbol}' takes no value of type '{PythonValues.TypeName(value)}'");
        return symbol == "-" ? -number : number;
    }

    /// <summary>Computes <c>+ - * / // % **</c>.</summary>
    public static object? Compute(string symbol, object? left, object? right, RenderBudget budget)
    {
        if (left is Undefined || right is Undefined)
            throw ((left as Undefined) ?? (Undefined)right!).Error();
        if (symbol == "%" && left is TracedText format)
            return TextFormat.Percent(format, right, budget);
        if (PythonValues.AsInteger(left) is { } a && PythonValues.AsInteger(right) is { } b)
            return OfIntegers(symbol, a, b);
        if (PythonValues.AsNumber(left) is { } x && PythonValues.AsNumber(right) is { } y)
            return OfNumbers(symbol, x, y);
        return (symbol, left, right) switch
        {
            ("+", TracedText text, TracedText other) => Add(text, other, budget),
            ("+", PythonSequence list, PythonSequence other) when list.Kind == other.Kind && list.Kind is SequenceKind.List or SequenceKind.Tuple => Add(list, other, budget),
            ("*", TracedText text, _) when PythonValues.AsInteger(right) is { } count => PythonText.Repeat(text, count, budget),
            ("*", _, TracedText text) when PythonValues.AsInteger(left) is { } count => PythonText.Repeat(text, count, budget),
            ("*", PythonSequence list, _) when PythonValues.AsInteger(right) is { } count => Repeat(list, count, budget),
            ("*", _, PythonSequence list) when PythonValues.AsInteger(left) is { } count => Repeat(list, count, budget),
            _ => throw new JinjaException($"'{symbol}' does not work on values of type '{PythonValues.TypeName(left)}' and '{PythonValues.TypeName(right)}'"),
        };
    }

    private static TracedText Add(TracedText left, TracedText right, RenderBudget budget)
    {
        // What is not markup is escaped when it meets what is.
        bool isMarkup = left.IsMarkup || right.IsMarkup;
        TracedText sum = new TracedTextBuilder(budget)
            .Append(isMarkup && !left.IsMarkup ? Printer.Escape(left, budget) : left)
            .Append(isMarkup && !right.IsMarkup ? Printer.Escape(right, budget) : right)
            .ToText();
        return isMarkup ? sum.AsMarkup() : sum;
    }

    private static PythonSequence Add(PythonSequence left, PythonSequence right, RenderBudget budget)
    {
        budget.Allocate((long)left.Count + right.Count);
        return new PythonSequence([.. left, .. right], left.Kind);
    }

    private static PythonSequence Repeat(PythonSequence list, long count, RenderBudget budget)
    {
        if (count <= 0 || list.Count == 0)
            return new PythonSequence([], list.Kind);
        budget.Allocate(count > int.MaxValue ? long.MaxValue : count * list.Count);
        return new PythonSequence([.. Enumerable.Repeat(list, (int)count).SelectMany(items => items)], list.Kind);
    }

    private static object OfIntegers(string symbol, long left, long right)
    {
        if (right == 0 && symbol is "/" or "//" or "%")
            throw new JinjaException("it divides by zero");
        return symbol switch
        {
            // As an object, so that the others do not become numbers with a point.
            "+" => (object)Checked(() => checked(left + right)),
            "-" => Checked(() => checked(left - right)),
            "*" => Checked(() => checked(left * right)),
            "/" => (double)left / right,
            "//" => Checked(() => checked(left / right) - (left % right != 0 && (left < 0) != (right < 0) ? 1 : 0)),
            "%" => right == -1 ? 0L : (left % right) + (left % right != 0 && (left < 0) != (right < 0) ? right : 0),
            _ => right < 0 ? OfNumbers("**", left, right) : Checked(() => Power(left, right)),
        };
    }

    private static object OfNumbers(string symbol, double left, double right)
    {
        if (right == 0 && symbol is "/" or "//" or "%")
            throw new JinjaException("it divides by zero");
        return symbol switch
        {
            "+" => left + right,
            "-" => left - right,
            "*" => left * right,
            "/" => left / right,
            "//" => Math.Floor(left / right),
            "%" => left - (right * Math.Floor(left / right)),
            _ => Math.Pow(left, right),
        };
    }

    private static long Power(long value, long exponent)
    {
        long result = 1;
        for (; exponent > 0; exponent >>= 1)
        {
            if ((exponent & 1) != 0)
                result = checked(result * value);
            if (exponent > 1)
                value = checked(value * value);
        }

        return result;
    }

    private static long Checked(Func<long> compute)
    {
        try
        {
            return compute();
        }
        catch (OverflowException)
        {
            throw new JinjaException("a number has more than 64 bits", JinjaFault.Limit);
        }
    }
}
