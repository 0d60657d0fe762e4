namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>What <c>value.name</c>, <c>value[index]</c> and <c>value[start:stop:step]</c> give.</summary>
internal static class Members
{
    // Methods that would change a value, which the sandbox forbids.
    private static readonly string[] ChangingDictionary = ["clear", "pop", "popitem", "setdefault", "update"];

    private static readonly string[] ChangingList = ["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"];

    private static readonly Dictionary<string, Func<PythonDictionary, Arguments.Bound, object?>> OfDictionary = new()
    {
        ["get"] = (dictionary, arguments) => dictionary.TryGet(arguments.Require("key"), out object? value) ? value : arguments.Get("default"),
        ["items"] = (dictionary, _) => Items(dictionary),
        ["keys"] = (dictionary, _) => new PythonSequence([.. dictionary.Pairs.Select(pair => pair.Key)], SequenceKind.View),
        ["values"] = (dictionary, _) => new PythonSequence([.. dictionary.Pairs.Select(pair => pair.Value)], SequenceKind.View),
        ["copy"] = (dictionary, _) => dictionary,
    };

    /// <summary>The keys and values of a dictionary as tuples.</summary>
    public static PythonSequence Items(PythonDictionary dictionary) =>
        new([.. dictionary.Pairs.Select(pair => new PythonSequence([pair.Key, pair.Value], SequenceKind.Tuple))], SequenceKind.View);

    /// <summary>Gives <c>value.name</c>: a method, else the value of a key.</summary>
    public static object? GetAttribute(object? value, string name, RenderBudget budget)
    {
        if (value is Undefined undefined)
            throw undefined.Error();
        if (TryGetMember(value, name, budget) is { } member)
            return member;
        return value is PythonDictionary dictionary && dictionary.TryGet(TracedText.Of(name), out object? item) ? item : GetOther(value, name);
    }

    /// <summary>Gives <c>value[index]</c>: the value of a key or at an index, else a method.</summary>
    public static object? GetItem(object? value, object? index, RenderBudget budget)
    {
        switch (value)
        {
            case Undefined undefined:
                throw undefined.Error();
            case PythonDictionary dictionary when dictionary.TryGet(index, out object? item):
                return item;
            case PythonSequence sequence when sequence.Kind != SequenceKind.View && PythonValues.AsInteger(index) is { } place:
                return (place < 0 ? place + sequence.Count : place) is var at and >= 0 && at < sequence.Count ? sequence[(int)at] : Missing(index);
            case TracedText text when PythonValues.AsInteger(index) is { } place:
                long length = PythonText.Length(text);
                return (place < 0 ? place + length : place) is var start and >= 0 && start < length ? Slice(text, start, start + 1, budget) : Missing(index);
        }

        if (index is not TracedText name)
            return Missing(index);
        return TryGetMember(value, name.Value, budget) ?? GetOther(value, name.Value);
    }

    /// <summary>Gives <c>value[start:stop:step]</c>, with Python's rules for bounds that are negative, missing or too large.</summary>
    public static object? GetSlice(object? value, object? start, object? stop, object? step, RenderBudget budget)
    {
        if (value is Undefined undefined)
            throw undefined.Error();
        if (value is not (TracedText or PythonSequence { Kind: not SequenceKind.View }))
            throw new JinjaException($"a value of type '{PythonValues.TypeName(value)}' has no parts");
        long stride = step is null ? 1 : Bound(step);
        if (stride == 0)
            throw new JinjaException("the step of a slice is 0");
        long length = PythonValues.Length(value);
        stride = Math.Clamp(stride, -length - 1, length + 1); // a longer one would overflow, and reaches no further
        long from = Clamp(start, length, stride, isStart: true), to = Clamp(stop, length, stride, isStart: false);
        if (value is TracedText text && stride == 1)
            return Slice(text, from, to, budget);
        IReadOnlyList<object?> all = value as PythonSequence ?? (IReadOnlyList<object?>)PythonValues.ToList(value, budget);
        List<object?> chosen = [];
        for (long i = from; stride > 0 ? i < to : i > to; i += stride)
        {
            budget.Allocate(1);
            chosen.Add(all[(int)i]);
        }

        return value is TracedText ? PythonText.Join(TracedText.Empty, chosen.Cast<TracedText>(), budget) : new PythonSequence(chosen, ((PythonSequence)value).Kind);
    }

    private static object? TryGetMember(object? value, string name, RenderBudget budget) => value switch
    {
        Function function when name == "name" => TracedText.Of(function.Name),
        Namespace space => space.Attributes.GetValueOrDefault(name) ?? (space.Attributes.ContainsKey(name) ? null : GetOther(value, name)),
        LoopContext loop => loop.Get(name),
        TracedText text => TextMethods.Find(text, name, budget),
        PythonDictionary dictionary when OfDictionary.TryGetValue(name, out var method) => new Function(name, (_, arguments) => method(dictionary, arguments.Bind(name, "key", "default"))),
        PythonSequence { Kind: SequenceKind.List or SequenceKind.Tuple } sequence when name is "index" or "count" => new Function(name, (_, arguments) => Count(sequence, name, arguments, budget)),
        PythonDictionary when ChangingDictionary.Contains(name) => new Undefined($"'{name}' would change a dictionary, which templates may not"),
        PythonSequence { Kind: SequenceKind.List } when ChangingList.Contains(name) => new Undefined($"'{name}' would change a list, which templates may not"),
        _ => null,
    };

    private static object Count(PythonSequence sequence, string name, Arguments arguments, RenderBudget budget)
    {
        object? wanted = arguments.Bind(name, "value").Require("value");
        if (name == "count")
            return (long)sequence.Count(item => ValueEquality.AreEqual(item, wanted, budget));
        for (int i = 0; i < sequence.Count; i++)
        {
            if (ValueEquality.AreEqual(sequence[i], wanted, budget))
                return (long)i;
        }

        throw new JinjaException("'index' found no such value");
    }

    private static TracedText Slice(TracedText text, long from, long to, RenderBudget budget)
    {
        int start = PythonText.Position(text, from);
        return PythonText.Slice(text, start, Math.Max(0, PythonText.Position(text, to) - start), budget);
    }

    private static long Clamp(object? bound, long length, long stride, bool isStart)
    {
        (long low, long high) = stride > 0 ? (0, length) : (-1, length - 1);
        if (bound is null)
            return isStart == (stride > 0) ? low : high;
        long value = Bound(bound);
        return Math.Clamp(value < 0 ? value + length : value, low, high);
    }

    private static long Bound(object? value) => PythonValues.AsInteger(value) ?? throw new JinjaException($"a bound of a slice is of type '{PythonValues.TypeName(value)}', expected a whole number");

    private static Undefined GetOther(object? value, string name) => new($"a value of type '{PythonValues.TypeName(value)}' has no attribute '{Files.Excerpt.Of(name)}'");

    private static Undefined Missing(object? index) =>
        new($"there is no element {(index is TracedText or long ? $"'{Files.Excerpt.Of(index.ToString()!)}'" : $"of type '{PythonValues.TypeName(index)}'")}");
}
