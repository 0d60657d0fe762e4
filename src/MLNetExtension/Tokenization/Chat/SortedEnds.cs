namespace MLNetExtension.Tokenization.Chat;

/// <summary>Finds a span of a text among spans that lie one behind another.</summary>
internal static class SortedEnds
{
    /// <summary>Finds the first span that ends behind a position, by halving.</summary>
    /// <param name="spans">The spans in their order.</param>
    /// <param name="position">The position.</param>
    /// <param name="end">Where a span ends.</param>
    /// <returns>Its index; their number where none does.</returns>
    public static int FirstBehind<T>(IReadOnlyList<T> spans, int position, Func<T, int> end)
    {
        int low = 0, high = spans.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (end(spans[middle]) <= position)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }
}
