using System.Collections;

namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>Python's lists, tuples, ranges and views of dictionaries. None can be changed: transformers' sandbox forbids that.</summary>
internal sealed class PythonSequence(IReadOnlyList<object?> items, SequenceKind kind = SequenceKind.List) : IReadOnlyList<object?>
{
    /// <summary>Which of them it is.</summary>
    public SequenceKind Kind => kind;

    /// <inheritdoc/>
    public int Count => items.Count;

    /// <inheritdoc/>
    public object? this[int index] => items[index];

    /// <inheritdoc/>
    public IEnumerator<object?> GetEnumerator() => items.GetEnumerator();

    /// <inheritdoc/>
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>The kinds of sequences.</summary>
internal enum SequenceKind
{
    /// <summary>A list.</summary>
    List,

    /// <summary>A tuple.</summary>
    Tuple,

    /// <summary>What <c>range</c> gives.</summary>
    Range,

    /// <summary>The keys, values or items of a dictionary, which have no index.</summary>
    View,
}

/// <summary>Python's dictionary, in the order in which keys were added.</summary>
internal sealed class PythonDictionary
{
    private readonly Dictionary<object, int> _places = new(ValueEquality.Instance);
    private readonly List<KeyValuePair<object?, object?>> _pairs = [];

    /// <summary>The keys and values in order.</summary>
    public IReadOnlyList<KeyValuePair<object?, object?>> Pairs => _pairs;

    /// <summary>Sets the value of a key.</summary>
    public void Set(object? key, object? value)
    {
        if (_places.TryAdd(Key(key), _pairs.Count))
            _pairs.Add(new(key, value));
        else
            _pairs[_places[Key(key)]] = new(_pairs[_places[Key(key)]].Key, value);
    }

    /// <summary>Finds the value of a key.</summary>
    public bool TryGet(object? key, out object? value)
    {
        bool found = _places.TryGetValue(Key(key), out int place);
        value = found ? _pairs[place].Value : null;
        return found;
    }

    // A dictionary of .NET has no key null.
    private static object Key(object? key) => key ?? ValueEquality.None;
}
