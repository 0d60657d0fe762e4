namespace MLNetExtension.Tokenization;

/// <summary>Texts by their first characters, to find those that another text begins with: in a time that depends on that text, and not on how many there are.</summary>
internal sealed class TextTrie
{
    /// <summary>What stands for no node, and for no value.</summary>
    public const int None = -1;

    /// <summary>The node of the empty text.</summary>
    public const int Root = 0;

    private readonly Dictionary<long, int> _children = [];
    private readonly List<int> _values = [None];

    /// <summary>Adds a text; of equal ones the first keeps its value.</summary>
    /// <param name="text">The text.</param>
    /// <param name="value">Its value, at least 0.</param>
    public void Add(string text, int value)
    {
        int node = Root;
        foreach (char next in text)
        {
            if (!_children.TryGetValue(Key(node, next), out int child))
            {
                child = _values.Count;
                _children.Add(Key(node, next), child);
                _values.Add(None);
            }

            node = child;
        }

        if (_values[node] == None)
            _values[node] = value;
    }

    /// <summary>The node of a text that is one character longer than that of <paramref name="node"/>, or <see cref="None"/>.</summary>
    public int Step(int node, char next) => _children.TryGetValue(Key(node, next), out int child) ? child : None;

    /// <summary>The value of the text that ends at a node, or <see cref="None"/>.</summary>
    public int ValueOf(int node) => _values[node];

    /// <summary>Finds the longest text that <paramref name="text"/> begins with.</summary>
    /// <param name="text">The text to look at.</param>
    /// <param name="length">The chars of what was found; 0 for nothing.</param>
    /// <returns>Its value, or <see cref="None"/>.</returns>
    public int MatchLongest(ReadOnlySpan<char> text, out int length)
    {
        length = 0;
        int found = None, node = Root;
        for (int i = 0; i < text.Length && (node = Step(node, text[i])) != None; i++)
        {
            if (_values[node] != None)
                (found, length) = (_values[node], i + 1);
        }

        return found;
    }

    private static long Key(int node, char next) => ((long)node << 16) | next;
}
