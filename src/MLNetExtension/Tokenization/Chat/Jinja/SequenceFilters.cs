namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>The filters of lists and dictionaries.</summary>
internal static class SequenceFilters
{
    /// <summary>The filters by their names.</summary>
    public static readonly Dictionary<string, Filters.Filter> All = new()
    {
        ["count"] = (_, value, _) => PythonValues.Length(value),
        ["dictsort"] = SortDictionary,
        ["first"] = (rendering, value, _) => PythonValues.Iterate(value, rendering.Budget).FirstOr(new Undefined("an empty sequence has no first item")),
        ["groupby"] = GroupBy,
        ["items"] = (_, value, _) => value switch
        {
            Undefined => new PythonIterator([]),
            PythonDictionary dictionary => new PythonIterator(Members.Items(dictionary)),
            _ => throw new JinjaException($"'items' takes a dictionary, not a value of type '{PythonValues.TypeName(value)}'"),
        },
        ["join"] = Join,
        ["last"] = (rendering, value, _) => PythonValues.TryLength(value) is null
            ? throw new JinjaException($"'last' takes no value of type '{PythonValues.TypeName(value)}'")
            : PythonValues.Iterate(value, rendering.Budget).Reverse().FirstOr(new Undefined("an empty sequence has no last item")),
        ["length"] = (_, value, _) => PythonValues.Length(value),
        ["list"] = (rendering, value, _) => new PythonSequence(PythonValues.ToList(value, rendering.Budget)),
        ["map"] = Map,
        ["max"] = (rendering, value, arguments) => Extreme(rendering, value, arguments.Bind("max", "case_sensitive", "attribute"), isMaximum: true),
        ["min"] = (rendering, value, arguments) => Extreme(rendering, value, arguments.Bind("min", "case_sensitive", "attribute"), isMaximum: false),
        ["reject"] = (rendering, value, arguments) => Select(rendering, value, arguments, byAttribute: false, keeps: false),
        ["rejectattr"] = (rendering, value, arguments) => Select(rendering, value, arguments, byAttribute: true, keeps: false),
        ["reverse"] = Reverse,
        ["select"] = (rendering, value, arguments) => Select(rendering, value, arguments, byAttribute: false, keeps: true),
        ["selectattr"] = (rendering, value, arguments) => Select(rendering, value, arguments, byAttribute: true, keeps: true),
        ["sort"] = Sort,
        ["sum"] = Sum,
        ["unique"] = Unique,
    };

    private static object? FirstOr(this IEnumerable<object?> items, object? otherwise)
    {
        foreach (object? item in items)
            return item;
        return otherwise;
    }

    // The attribute of an item: a name, an index, or names with points between them.
    private static object? Attribute(object? item, object? attribute, RenderBudget budget)
    {
        if (attribute is not TracedText path)
            return attribute is null ? item : Members.GetItem(item, attribute, budget);
        foreach (string part in path.Value.Split('.'))
            item = Members.GetItem(item, long.TryParse(part, out long index) ? index : TracedText.Of(part), budget);
        return item;
    }

    private static Func<object?, object?> Key(Arguments.Bound bound, RenderBudget budget) => item =>
    {
        object? value = Attribute(item, bound.Get("attribute"), budget);
        return value is TracedText text && !bound.Flag("case_sensitive") ? TextMethods.Map(text, PythonText.Lower, budget) : value;
    };

    private static object? OrDefault(object? value, Arguments.Bound bound) => value is Undefined ? bound.Get("default", value) : value;

    private static object Sort(Rendering rendering, object? value, Arguments arguments)
    {
        Arguments.Bound bound = arguments.Bind("sort", "reverse", "case_sensitive", "attribute");
        return new PythonSequence(PythonSort.Sort(PythonValues.ToList(value, rendering.Budget), Key(bound, rendering.Budget), rendering.Budget, bound.Flag("reverse")));
    }

    private static object SortDictionary(Rendering rendering, object? value, Arguments arguments)
    {
        Arguments.Bound bound = arguments.Bind("dictsort", "case_sensitive", "by", "reverse");
        long place = bound.Text("by")?.Value == "value" ? 1 : 0;
        PythonDictionary dictionary = value as PythonDictionary ?? throw new JinjaException($"'dictsort' takes a dictionary, not a value of type '{PythonValues.TypeName(value)}'");
        Func<object?, object?> key = Key(bound, rendering.Budget);
        return new PythonSequence(PythonSort.Sort(Members.Items(dictionary).ToList(), item => key(((PythonSequence)item!)[(int)place]), rendering.Budget, bound.Flag("reverse")));
    }

    private static object GroupBy(Rendering rendering, object? value, Arguments arguments)
    {
        Arguments.Bound bound = arguments.Bind("groupby", "attribute", "default", "case_sensitive");
        Func<object?, object?> key = item => OrDefault(Key(bound, rendering.Budget)(item), bound);
        var groups = new List<object?>();
        List<object?>? group = null;
        object? last = null;
        foreach (object? item in PythonSort.Sort(PythonValues.ToList(value, rendering.Budget), key, rendering.Budget))
        {
            if (group is null || !ValueEquality.AreEqual(last, key(item), rendering.Budget))
            {
                last = key(item);
                group = [];
                groups.Add(new PythonSequence([Attribute(item, bound.Get("attribute"), rendering.Budget), new PythonSequence(group)], SequenceKind.Tuple));
            }

            group.Add(item);
        }

        return new PythonSequence(groups);
    }

    private static object Join(Rendering rendering, object? value, Arguments arguments)
    {
        Arguments.Bound bound = arguments.Bind("join", "d", "attribute");
        IEnumerable<TracedText> texts = PythonValues.Iterate(value, rendering.Budget)
            .Select(item => Filters.Text(rendering, Attribute(item, bound.Get("attribute"), rendering.Budget)));
        return PythonText.Join(Filters.Text(rendering, bound.Get("d", TracedText.Empty)), texts, rendering.Budget);
    }

    private static object Map(Rendering rendering, object? value, Arguments arguments)
    {
        List<object?> items = PythonValues.ToList(value, rendering.Budget);
        if (arguments.Positional.Count == 0)
        {
            Arguments.Bound bound = arguments.Bind("map", "attribute", "default");
            object? attribute = bound.Require("attribute");
            return new PythonIterator([.. items.Select(item => OrDefault(Attribute(item, attribute, rendering.Budget), bound))]);
        }

        (string filter, Arguments rest) = Named(arguments, "filter");
        return new PythonIterator([.. items.Select(item => Filters.Apply(filter, rendering, item, rest))]);
    }

    private static object Select(Rendering rendering, object? value, Arguments arguments, bool byAttribute, bool keeps)
    {
        object? attribute = null;
        if (byAttribute)
        {
            attribute = arguments.Positional.Count > 0 ? arguments.Positional[0] : throw new JinjaException("'selectattr' and 'rejectattr' need an attribute");
            arguments.Positional.RemoveAt(0);
        }

        (string Name, Arguments Others)? test = arguments.Positional.Count == 0 ? null : Named(arguments, "test");
        var chosen = new List<object?>();
        foreach (object? item in PythonValues.ToList(value, rendering.Budget))
        {
            object? tested = Attribute(item, attribute, rendering.Budget);
            if ((test is { } named ? Tests.Apply(named.Name, rendering, tested, named.Others) : PythonValues.IsTrue(tested)) == keeps)
                chosen.Add(item);
        }

        return new PythonIterator(chosen);
    }

    // The name of a filter or test in front of its own arguments.
    private static (string Name, Arguments Others) Named(Arguments arguments, string kind)
    {
        string name = (arguments.Positional[0] as TracedText ?? throw new JinjaException($"the name of a {kind} is no string")).Value;
        var rest = new Arguments();
        rest.Positional.AddRange(arguments.Positional.Skip(1));
        foreach ((string key, object? value) in arguments.Named)
            rest.Named[key] = value;
        return (name, rest);
    }

    private static object? Extreme(Rendering rendering, object? value, Arguments.Bound bound, bool isMaximum)
    {
        Func<object?, object?> key = Key(bound, rendering.Budget);
        List<object?> items = PythonValues.ToList(value, rendering.Budget);
        object? best = items.FirstOr(new Undefined("an empty sequence has no smallest and no largest item"));
        foreach (object? item in items.Skip(1))
        {
            if (PythonValues.Compare(key(item), key(best), rendering.Budget) is { } order && (isMaximum ? order > 0 : order < 0))
                best = item;
        }

        return best;
    }

    private static object Reverse(Rendering rendering, object? value, Arguments arguments)
    {
        List<object?> items = PythonValues.ToList(value, rendering.Budget);
        items.Reverse();
        return value is TracedText ? PythonText.Join(TracedText.Empty, items.Cast<TracedText>(), rendering.Budget) : new PythonIterator(items);
    }

    private static object? Sum(Rendering rendering, object? value, Arguments arguments)
    {
        Arguments.Bound bound = arguments.Bind("sum", "attribute", "start");
        object? sum = bound.Get("start", 0L);
        foreach (object? item in PythonValues.Iterate(value, rendering.Budget))
            sum = Arithmetic.Compute("+", sum, Attribute(item, bound.Get("attribute"), rendering.Budget), rendering.Budget);
        return sum;
    }

    private static object Unique(Rendering rendering, object? value, Arguments arguments)
    {
        Func<object?, object?> key = Key(arguments.Bind("unique", "case_sensitive", "attribute"), rendering.Budget);
        var seen = new PythonDictionary();
        var chosen = new List<object?>();
        foreach (object? item in PythonValues.ToList(value, rendering.Budget))
        {
            if (seen.TryGet(key(item), out _))
                continue;
            seen.Set(key(item), null);
            chosen.Add(item);
        }

        return new PythonIterator(chosen);
    }
}
