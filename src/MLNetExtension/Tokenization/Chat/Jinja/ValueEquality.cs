using System.Numerics;

namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>When Python calls two values equal: numbers by their value, texts by their characters, lists and dictionaries by what is in them, all else by being the same.</summary>
internal sealed class ValueEquality : IEqualityComparer<object>
{
    /// <summary>Stands for none where .NET allows no null.</summary>
    public static readonly object None = new();

    private ValueEquality()
    {
    }

    /// <summary>Compares keys of dictionaries.</summary>
    public static ValueEquality Instance { get; } = new();

    /// <summary>Whether two values are equal.</summary>
    public static bool AreEqual(object? left, object? right, RenderBudget budget)
    {
        budget.Enter();
        bool equal = (left, right) switch
        {
            (TracedText a, TracedText b) => a.Equals(b),
            (PythonSequence a, PythonSequence b) => a.Kind == b.Kind && a.Count == b.Count && Enumerable.Range(0, a.Count).All(i => AreEqual(a[i], b[i], budget)),
            (PythonDictionary a, PythonDictionary b) => a.Pairs.Count == b.Pairs.Count && a.Pairs.All(pair => b.TryGet(pair.Key, out object? value) && AreEqual(pair.Value, value, budget)),
            _ => AreEqualKeys(left, right),
        };
        budget.Leave();
        return equal;
    }

    /// <inheritdoc/>
    bool IEqualityComparer<object>.Equals(object? x, object? y) => AreEqualKeys(x, y);

    /// <inheritdoc/>
    public int GetHashCode(object obj) => obj switch
    {
        bool flag => flag ? 1 : 0,
        long number => number.GetHashCode(),
        double number => number == Math.Floor(number) && Math.Abs(number) < 1e15 ? ((long)number).GetHashCode() : number.GetHashCode(),
        // Tuples of tuples may have exponentially many items.
        PythonSequence { Kind: SequenceKind.Tuple } tuple => tuple.Any(item => item is PythonSequence)
            ? throw new JinjaException("a tuple of tuples cannot be a key")
            : tuple.Aggregate(17, (hash, item) => HashCode.Combine(hash, item is null ? 0 : GetHashCode(item))),
        PythonSequence { Kind: SequenceKind.List } or PythonDictionary => throw new JinjaException($"a value of type '{PythonValues.TypeName(obj)}' cannot be a key"),
        Undefined => 0,
        _ => obj.GetHashCode(),
    };

    // What can be a key has no deeper structure than tuples of scalars.
    private static bool AreEqualKeys(object? left, object? right) => (left, right) switch
    {
        (TracedText a, TracedText b) => a.Equals(b),
        (Undefined, Undefined) => true,
        (PythonSequence { Kind: SequenceKind.Tuple } a, PythonSequence { Kind: SequenceKind.Tuple } b) => a.Count == b.Count && a.Zip(b).All(pair => AreEqualKeys(pair.First, pair.Second)),
        (BigInteger a, BigInteger b) => a == b,
        _ when PythonValues.AsInteger(left) is { } a && PythonValues.AsInteger(right) is { } b => a == b,
        _ when PythonValues.AsNumber(left) is { } a && PythonValues.AsNumber(right) is { } b => a == b,
        _ => ReferenceEquals(left, right),
    };
}
