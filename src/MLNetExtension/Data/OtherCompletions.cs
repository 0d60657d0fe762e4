namespace MLNetExtension.Data;

/// <summary>Gives rows without pairs a completion of another row, one nearby whose prompt differs: what KTO estimates by it, a model's distance from its reference, is about completions that do not belong to the prompt.</summary>
internal static class OtherCompletions
{
    /// <summary>Passes rows on, in their order, each with another's completion as its second: that of the last row before it that has another prompt, or where there is none, that of the first one after it.</summary>
    /// <param name="rows">Where all have one prompt, each gets the completion of the next, and the last that of the first; they are in memory then.</param>
    public static IEnumerable<RowContent> AddTo(IEnumerable<RowContent.Pair> rows)
    {
        List<RowContent.Pair> waiting = [];    // those of the first prompt
        RowContent.Pair? previous = null;
        string? other = null;
        foreach (RowContent.Pair row in rows)
        {
            if (previous is not null && row.Prompt != previous.Prompt)
            {
                other = previous.First;
                foreach (RowContent.Pair one in waiting)
                    yield return one with { Second = row.First };
                waiting.Clear();
            }
            previous = row;
            if (other is null)
                waiting.Add(row);
            else
                yield return row with { Second = other };
        }
        for (int i = 0; i < waiting.Count; i++)
            yield return waiting[i] with { Second = waiting[(i + 1) % waiting.Count].First };
    }
}
