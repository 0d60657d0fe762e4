namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>The variable <c>loop</c>: where a loop is. Items come one by one, as the template's own conditions may change while it runs.</summary>
internal sealed class LoopContext
{
    private readonly Func<Arguments, int, object?>? _recurse;
    private readonly int _depth;
    private readonly RenderBudget _budget;
    private readonly long? _knownLength;
    private IEnumerator<object?> _items;
    private object? _before, _current, _after;
    private bool _hasAfter;
    private long _index = -1;
    private long? _length;
    private List<object?>? _lastChanged;

    /// <param name="items">What the loop goes over.</param>
    /// <param name="knownLength">How many they are; null where that is not known before they have come.</param>
    /// <param name="recurse">Runs the loop over other items; null where the loop is not recursive.</param>
    /// <param name="depth">How many loops this one is within, by recursion.</param>
    /// <param name="budget">Pays for it.</param>
    public LoopContext(IEnumerable<object?> items, long? knownLength, Func<Arguments, int, object?>? recurse, int depth, RenderBudget budget)
    {
        _items = items.GetEnumerator();
        _knownLength = knownLength;
        _recurse = recurse;
        _depth = depth;
        _budget = budget;
    }

    /// <summary>How many items there are; where that is not known, the rest of them is read.</summary>
    public long Length => _length ??= _knownLength ?? ReadRest();

    /// <summary>Goes on to the next item.</summary>
    /// <returns>Whether there is one.</returns>
    public bool MoveNext(out object? item)
    {
        bool found = Peek();
        item = _after;
        if (!found)
            return false;
        _hasAfter = false;
        _index++;
        (_before, _current) = (_current, item);
        return true;
    }

    /// <summary>The items that are left.</summary>
    public IEnumerable<object?> Rest()
    {
        while (MoveNext(out object? item))
            yield return item;
    }

    /// <summary>Runs the loop over other items, one level deeper.</summary>
    public object? Recurse(Arguments arguments) =>
        _recurse is null ? throw new JinjaException("'loop' is called, and the loop is not marked as recursive") : _recurse(arguments, _depth + 1);

    /// <summary>Gives an attribute; null where there is none of this name.</summary>
    public object? Get(string name) => name switch
    {
        "index" => _index + 1,
        "index0" => _index,
        "revindex" => Length - _index,
        "revindex0" => Length - _index - 1,
        "length" => Length,
        "first" => _index == 0,
        "last" => !Peek(),
        "depth" => _depth + 1L,
        "depth0" => (long)_depth,
        "previtem" => _index == 0 ? new Undefined("there is no previous item") : _before,
        "nextitem" => Peek() ? _after : new Undefined("there is no next item"),
        "cycle" => new Function("cycle", (_, arguments) => arguments.Positional.Count == 0
            ? throw new JinjaException("'cycle' is given no items")
            : arguments.Positional[(int)(_index % arguments.Positional.Count)]),
        "changed" => new Function("changed", (_, arguments) => HasChanged(arguments.Positional)),
        _ => null,
    };

    private bool Peek()
    {
        if (!_hasAfter && _items.MoveNext())
        {
            _hasAfter = true;
            _after = _items.Current;
        }

        return _hasAfter;
    }

    private long ReadRest()
    {
        List<object?> rest = [];
        while (_items.MoveNext())
        {
            _budget.Allocate(1);
            rest.Add(_items.Current);
        }

        _items = ((IEnumerable<object?>)rest).GetEnumerator();
        return rest.Count + _index + 1 + (_hasAfter ? 1 : 0);
    }

    private bool HasChanged(List<object?> values)
    {
        bool isSame = _lastChanged is not null && ValueEquality.AreEqual(new PythonSequence(_lastChanged), new PythonSequence(values), _budget);
        _lastChanged = values;
        return !isSame;
    }
}
