namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>The value of what does not exist: it can be written (as nothing), looped over and asked whether it is defined; anything else is an error.</summary>
/// <param name="message">What does not exist.</param>
internal sealed class Undefined(string message)
{
    /// <summary>The error of using it.</summary>
    public JinjaException Error() => new(message);
}

/// <summary>What <c>namespace()</c> makes: attributes that a template may set from within loops.</summary>
internal sealed class Namespace
{
    /// <summary>The attributes.</summary>
    public Dictionary<string, object?> Attributes { get; } = [];
}

/// <summary>Values that are gone once they were looped over, such as <c>map</c> gives.</summary>
internal sealed class PythonIterator(IEnumerable<object?> items)
{
    private readonly IEnumerator<object?> _items = items.GetEnumerator();

    /// <summary>The values that are left; each comes once.</summary>
    public IEnumerable<object?> Rest()
    {
        while (_items.MoveNext())
            yield return _items.Current;
    }
}

/// <summary>What a template can call.</summary>
/// <param name="name">What messages call it.</param>
/// <param name="call">Calls it.</param>
internal sealed class Function(string name, Func<Rendering, Arguments, object?> call)
{
    /// <summary>What messages call it.</summary>
    public string Name => name;

    /// <summary>Calls it.</summary>
    public object? Call(Rendering rendering, Arguments arguments) => call(rendering, arguments);
}
