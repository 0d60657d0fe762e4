namespace MLNetExtension.Generation;

/// <summary>Looks for stop strings in a text that comes in pieces, and holds back what may be the beginning of one. Use one filter for one text.</summary>
/// <param name="stops">The stop strings, none of them empty.</param>
internal sealed class StopStringFilter(IReadOnlyList<string> stops)
{
    private string _held = "";

    /// <summary>Whether the text has ended at a stop string.</summary>
    public bool HasStopped { get; private set; }

    /// <summary>Adds a piece and returns the text that is certain to come before any stop string.</summary>
    public string Append(string piece)
    {
        if (stops.Count == 0)
            return piece;
        string text = _held + piece;
        int[] starts = [.. stops.Select(stop => text.IndexOf(stop, StringComparison.Ordinal)).Where(start => start >= 0)];
        HasStopped = starts.Length > 0;
        int settled = HasStopped ? starts.Min() : text.Length - stops.Max(stop => CountPartialMatch(stop, text));
        _held = HasStopped ? "" : text[settled..];
        return text[..settled];
    }

    /// <summary>Returns what was held back when no more text comes.</summary>
    public string Flush()
    {
        string rest = _held;
        _held = "";
        return rest;
    }

    // How many of the stop string's first characters end the text; never all of them.
    private static int CountPartialMatch(string stop, string text)
    {
        for (int count = Math.Min(stop.Length - 1, text.Length); count > 0; count--)
        {
            if (string.CompareOrdinal(text, text.Length - count, stop, 0, count) == 0)
                return count;
        }

        return 0;
    }
}
