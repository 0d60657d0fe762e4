namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>Sorts values as Python does.</summary>
internal static class PythonSort
{
    /// <summary>Sorts items by a key; those with equal keys stay in order.</summary>
    /// <remarks>Not LINQ, which wraps the errors of a comparison in others.</remarks>
    public static List<T> Sort<T>(IReadOnlyList<T> items, Func<T, object?> key, RenderBudget budget, bool reverse = false)
    {
        budget.Allocate(2L * items.Count);
        (T Item, object? Key)[] sorted = [.. items.Select(item => (item, key(item)))];
        var merged = new (T Item, object? Key)[sorted.Length];
        for (int width = 1; width < sorted.Length; width *= 2)
        {
            for (int start = 0; start < sorted.Length; start += 2 * width)
                Merge(sorted, merged, start, Math.Min(start + width, sorted.Length), Math.Min(start + (2 * width), sorted.Length));
            (sorted, merged) = (merged, sorted);
        }

        return [.. sorted.Select(pair => pair.Item)];

        void Merge((T Item, object? Key)[] from, (T Item, object? Key)[] to, int start, int middle, int end)
        {
            int left = start, right = middle;
            for (int i = start; i < end; i++)
            {
                budget.Step();
                bool takesLeft = right >= end || (left < middle && IsInOrder(from[left].Key, from[right].Key));
                to[i] = takesLeft ? from[left++] : from[right++];
            }
        }

        bool IsInOrder(object? first, object? second)
        {
            int order = PythonValues.Compare(first, second, budget) ?? 0;
            return reverse ? order >= 0 : order <= 0;
        }
    }
}
