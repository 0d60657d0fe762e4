namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>Splits texts as Python does.</summary>
internal static class TextSplitting
{
    /// <summary>Splits at a separator, or at white space where it is null, from the beginning on.</summary>
    /// <param name="text">The text.</param>
    /// <param name="separator">What stands between the parts.</param>
    /// <param name="count">How often at most; negative for no limit.</param>
    /// <param name="budget">Pays for it.</param>
    public static List<object?> Split(TracedText text, TracedText? separator, long count, RenderBudget budget)
    {
        if (separator is null)
            return SplitAtSpaces(text, count, budget);
        CheckSeparator(separator);
        List<object?> parts = [];
        int start = 0;
        while (count-- != 0 && text.Value.IndexOf(separator.Value, start, StringComparison.Ordinal) is var found and >= 0)
        {
            Add(parts, text, start, found, budget);
            start = found + separator.Length;
        }

        Add(parts, text, start, text.Length, budget);
        return parts;
    }

    /// <summary>Splits at a separator, or at white space where it is null, from the end on.</summary>
    public static List<object?> SplitFromEnd(TracedText text, TracedText? separator, long count, RenderBudget budget)
    {
        List<object?> parts = [];
        int end = text.Length;
        if (separator is null)
        {
            end = Before(text, end, spaces: true);
            while (end > 0 && count-- != 0)
            {
                int start = Before(text, end, spaces: false);
                Add(parts, text, start, end, budget);
                end = Before(text, start, spaces: true);
            }

            if (end > 0)
                Add(parts, text, 0, end, budget);
        }
        else
        {
            CheckSeparator(separator);
            while (count-- != 0 && text.Value.AsSpan(0, end).LastIndexOf(separator.Value) is var found and >= 0)
            {
                Add(parts, text, found + separator.Length, end, budget);
                end = found;
            }

            Add(parts, text, 0, end, budget);
        }

        parts.Reverse();
        return parts;
    }

    /// <summary>The text in front of a separator, the separator, and the text behind it.</summary>
    public static PythonSequence Partition(TracedText text, TracedText separator, bool fromEnd, RenderBudget budget)
    {
        CheckSeparator(separator);
        int found = fromEnd ? text.Value.LastIndexOf(separator.Value, StringComparison.Ordinal) : text.Value.IndexOf(separator.Value, StringComparison.Ordinal);
        if (found < 0)
            return new PythonSequence(fromEnd ? [TracedText.Empty, TracedText.Empty, text] : [text, TracedText.Empty, TracedText.Empty], SequenceKind.Tuple);
        List<object?> parts = [];
        Add(parts, text, 0, found, budget);
        Add(parts, text, found, found + separator.Length, budget);
        Add(parts, text, found + separator.Length, text.Length, budget);
        return new PythonSequence(parts, SequenceKind.Tuple);
    }

    private static List<object?> SplitAtSpaces(TracedText text, long count, RenderBudget budget)
    {
        List<object?> parts = [];
        int at = After(text, 0, spaces: true);
        while (at < text.Length)
        {
            if (count-- == 0)
            {
                // The rest keeps its white space at the end, as Python has it.
                Add(parts, text, at, text.Length, budget);
                break;
            }

            int end = After(text, at, spaces: false);
            Add(parts, text, at, end, budget);
            at = After(text, end, spaces: true);
        }

        return parts;
    }

    private static int After(TracedText text, int at, bool spaces)
    {
        ReadOnlySpan<char> rest = text.Value.AsSpan(at);
        int length = spaces ? rest.IndexOfAnyExcept(PythonText.SpaceValues) : rest.IndexOfAny(PythonText.SpaceValues);
        return length < 0 ? text.Length : at + length;
    }

    private static int Before(TracedText text, int end, bool spaces)
    {
        ReadOnlySpan<char> start = text.Value.AsSpan(0, end);
        return (spaces ? start.LastIndexOfAnyExcept(PythonText.SpaceValues) : start.LastIndexOfAny(PythonText.SpaceValues)) + 1;
    }

    private static void Add(List<object?> parts, TracedText text, int start, int end, RenderBudget budget)
    {
        budget.Step();
        budget.Allocate(1);
        parts.Add(PythonText.Slice(text, start, end - start, budget));
    }

    private static void CheckSeparator(TracedText separator)
    {
        if (separator.Length == 0)
            throw new JinjaException("a separator is empty");
    }
}
