using MLNetExtension.Data;

namespace MLNetExtension.Batching;

/// <summary>Cuts a window into micro-batches. Any cut gives the same gradient, so this one is chosen for memory and little padding alone.</summary>
public static class MicroBatchPlanner
{
    /// <summary>Groups rows of like length until a group, padded to its longest row, would pass the budget.</summary>
    /// <param name="window">The examples of one optimizer step. Those without a target are left out: no forward pass could learn from them.</param>
    /// <param name="maximumTokens">Most positions of a micro-batch, padding included. A longer row stands alone.</param>
    /// <returns>Groups of examples, the longest rows first, so that memory peaks at the start of a step.</returns>
    public static IReadOnlyList<IReadOnlyList<TokenExample>> Cut(IReadOnlyList<TokenExample> window, int maximumTokens)
    {
        List<IReadOnlyList<TokenExample>> cut = [];
        List<TokenExample> group = [];
        foreach (TokenExample example in window.Where(e => e.HasTargets).OrderByDescending(e => e.Length))
        {
            // Rows come longest first, so the first row of a group gives its padded length.
            if (group.Count > 0 && (group.Count + 1) * group[0].Length > maximumTokens)
            {
                cut.Add(group);
                group = [];
            }
            group.Add(example);
        }
        if (group.Count > 0)
            cut.Add(group);
        return cut;
    }

    /// <summary>Share of the positions of a cut that are padding, 0 to 1.</summary>
    /// <param name="cut">Groups of examples, each padded to its longest.</param>
    public static double PaddingShare(IReadOnlyList<IReadOnlyList<TokenExample>> cut)
    {
        long computed = cut.Sum(group => (long)group.Count * group.Max(e => e.Length));
        return computed == 0 ? 0 : 1 - cut.Sum(group => group.Sum(e => (long)e.Length)) / (double)computed;
    }
}
