using System.Numerics;

namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>What Python does with values: truth, order, lengths, loops.</summary>
internal static class PythonValues
{
    /// <summary>Whether a value counts as true.</summary>
    public static bool IsTrue(object? value) => value switch
    {
        null or Undefined => false,
        bool flag => flag,
        long number => number != 0,
        double number => number != 0,
        BigInteger number => !number.IsZero,
        TracedText text => text.Length > 0,
        PythonSequence sequence => sequence.Count > 0,
        PythonDictionary dictionary => dictionary.Pairs.Count > 0,
        _ => true,
    };

    /// <summary>What Python calls a value's type.</summary>
    public static string TypeName(object? value) => value switch
    {
        null => "NoneType",
        Undefined => "Undefined",
        bool => "bool",
        long or BigInteger => "int",
        double => "float",
        TracedText => "str",
        PythonSequence { Kind: SequenceKind.List } => "list",
        PythonSequence { Kind: SequenceKind.Tuple } => "tuple",
        PythonSequence { Kind: SequenceKind.Range } => "range",
        PythonSequence => "dict view",
        PythonDictionary => "dict",
        PythonIterator => "generator",
        Namespace => "Namespace",
        LoopContext => "LoopContext",
        _ => "function",
    };

    /// <summary>A number as a whole one, if it is one; Python's truth values are the numbers 0 and 1.</summary>
    public static long? AsInteger(object? value) => value switch
    {
        bool flag => flag ? 1 : 0,
        long number => number,
        _ => null,
    };

    /// <summary>A number; null where the value is none.</summary>
    public static double? AsNumber(object? value) => value switch
    {
        double number => number,
        BigInteger number => (double)number,
        _ => AsInteger(value),
    };

    /// <summary>The values that a loop goes over.</summary>
    public static IEnumerable<object?> Iterate(object? value, RenderBudget budget)
    {
        IEnumerable<object?> items = value switch
        {
            PythonSequence sequence => sequence,
            PythonDictionary dictionary => dictionary.Pairs.Select(pair => pair.Key),
            TracedText text => PythonText.Characters(text, budget),
            PythonIterator iterator => iterator.Rest(),
            LoopContext loop => loop.Rest(),
            Undefined => [],
            _ => throw new JinjaException($"a value of type '{TypeName(value)}' is not iterable"),
        };
        return items.Select(item =>
        {
            budget.Step();
            return item;
        });
    }

    /// <summary>The values that a loop goes over, as a list.</summary>
    public static List<object?> ToList(object? value, RenderBudget budget)
    {
        List<object?> items = [];
        foreach (object? item in Iterate(value, budget))
        {
            budget.Allocate(1);
            items.Add(item);
        }

        return items;
    }

    /// <summary>The number of elements; null where Python knows none.</summary>
    public static long? TryLength(object? value) => value switch
    {
        TracedText text => PythonText.Length(text),
        PythonSequence sequence => sequence.Count,
        PythonDictionary dictionary => dictionary.Pairs.Count,
        LoopContext loop => loop.Length,
        Undefined => 0,
        _ => null,
    };

    /// <summary>The number of elements.</summary>
    public static long Length(object? value) => TryLength(value) ?? throw new JinjaException($"a value of type '{TypeName(value)}' has no length");

    /// <summary>Whether a container has a value.</summary>
    public static bool Contains(object? container, object? value, RenderBudget budget)
    {
        switch (container)
        {
            case TracedText text:
                if (value is not TracedText part)
                    throw new JinjaException($"'in <string>' requires a string on its left, not '{TypeName(value)}'");
                PythonText.PayForSearch(text, part, budget);
                return text.Value.Contains(part.Value, StringComparison.Ordinal);
            case PythonDictionary dictionary:
                return dictionary.TryGet(value, out _);
            default:
                return Iterate(container, budget).Any(item => ValueEquality.AreEqual(item, value, budget));
        }
    }

    /// <summary>Which of two values comes first.</summary>
    /// <returns>A negative number, 0 or a positive number; null where one is not a number.</returns>
    public static int? Compare(object? left, object? right, RenderBudget budget)
    {
        if (left is Undefined || right is Undefined)
            throw ((left as Undefined) ?? (Undefined)right!).Error();
        if (AsInteger(left) is { } a && AsInteger(right) is { } b)
            return a.CompareTo(b);
        if (AsNumber(left) is { } x && AsNumber(right) is { } y)
            return double.IsNaN(x) || double.IsNaN(y) ? null : x.CompareTo(y);
        if (left is TracedText text && right is TracedText other)
            return PythonText.Compare(text.Value, other.Value);
        if (left is PythonSequence list && right is PythonSequence second && list.Kind == second.Kind)
            return CompareItems(list, second, budget);
        throw new JinjaException($"values of type '{TypeName(left)}' and '{TypeName(right)}' have no order");
    }

    private static int? CompareItems(PythonSequence left, PythonSequence right, RenderBudget budget)
    {
        budget.Enter();
        int? order = left.Count.CompareTo(right.Count);
        for (int i = 0; i < Math.Min(left.Count, right.Count); i++)
        {
            if (ValueEquality.AreEqual(left[i], right[i], budget))
                continue;
            order = Compare(left[i], right[i], budget);
            break;
        }

        budget.Leave();
        return order;
    }
}
