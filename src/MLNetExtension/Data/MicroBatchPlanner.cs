namespace MLNetExtension.Data;

/// <summary>Splits a batch into micro-batches. Any split gives the same gradient, so this one is chosen for memory and little padding alone.</summary>
internal static class MicroBatchPlanner
{
    /// <summary>Groups rows of like length until a group, padded to its longest row, would pass the budget.</summary>
    /// <param name="batch">The examples of one optimizer step. Those without a target are left out: they have no gradient.</param>
    /// <param name="maximumTokens">Most positions of a micro-batch, padding included. A longer row stands alone.</param>
    /// <returns>Groups of examples, the longest rows first, so that memory peaks at the start of a step.</returns>
    public static IReadOnlyList<IReadOnlyList<TokenExample>> Split(IReadOnlyList<TokenExample> batch, int maximumTokens)
    {
        List<IReadOnlyList<TokenExample>> microBatches = [];
        List<TokenExample> group = [];
        foreach (TokenExample example in batch.Where(e => e.HasTargets).OrderByDescending(e => e.Length))
        {
            // Rows come longest first, so the first row of a group gives its padded length.
            if (group.Count > 0 && (group.Count + 1L) * group[0].Length > maximumTokens)
            {
                microBatches.Add(group);
                group = [];
            }
            group.Add(example);
        }
        if (group.Count > 0)
            microBatches.Add(group);
        return microBatches;
    }

    /// <summary>Groups rows that are to be packed: groups of nearly as many tokens each, so that workers who share them finish together.</summary>
    /// <param name="batch">The examples of one optimizer step. Those without a target are left out: they have no gradient.</param>
    /// <param name="maximumTokens">Most tokens of a group. A longer row stands alone.</param>
    /// <param name="workers">How many share the groups, at least 1: the number of groups is a multiple of it, where there are rows enough.</param>
    public static IReadOnlyList<IReadOnlyList<TokenExample>> SplitPacked(IReadOnlyList<TokenExample> batch, int maximumTokens, int workers = 1)
    {
        TokenExample[] rows = [.. batch.Where(e => e.HasTargets).OrderByDescending(e => e.Length)];
        long least = FewestGroups(rows, maximumTokens);
        for (long count = (least + workers - 1) / workers * workers; count < rows.Length; count += workers)
        {
            IReadOnlyList<TokenExample>[] groups = Level(rows, (int)count, row => row.Length);
            if (groups.All(group => group.Count == 1 || group.Sum(e => (long)e.Length) <= maximumTokens))
                return groups;
        }
        return [.. rows.Select(row => (IReadOnlyList<TokenExample>)[row])];
    }

    // However rows are grouped: all tokens need so many groups, and of the rows longer than 1/(k+1) of the budget a group holds k. Trying fewer groups is what would take long for many rows.
    private static long FewestGroups(TokenExample[] longestFirst, int maximumTokens)
    {
        long fewest = (longestFirst.Sum(e => (long)e.Length) + maximumTokens - 1) / maximumTokens;
        int longer = 0;
        for (long k = 1; longer < longestFirst.Length; k++)
        {
            while (longer < longestFirst.Length && longestFirst[longer].Length * (k + 1) > maximumTokens)
                longer++;
            fewest = Math.Max(fewest, (longer + k - 1) / k);
            if (k >= longestFirst.Length)
                break;
        }
        return fewest;
    }

    /// <summary>Deals things out so that every share comes to nearly as much: largest first, each to the share that has the least (Graham 1969, "Bounds on multiprocessing timing anomalies").</summary>
    /// <param name="largestFirst">What is dealt.</param>
    /// <param name="count">Number of shares, at least 1.</param>
    /// <param name="size">How much a thing comes to.</param>
    internal static List<T>[] Level<T>(IEnumerable<T> largestFirst, int count, Func<T, long> size)
    {
        List<T>[] shares = [.. Enumerable.Range(0, count).Select(_ => new List<T>())];
        PriorityQueue<int, (long Size, int Share)> least = new(Enumerable.Range(0, count).Select(share => (share, (0L, share))));
        foreach (T thing in largestFirst)
        {
            least.TryDequeue(out int share, out (long Size, int) load);
            shares[share].Add(thing);
            least.Enqueue(share, (load.Size + size(thing), share));
        }
        return shares;
    }

    /// <summary>Share of the positions of a split that are padding, 0 to 1.</summary>
    /// <param name="microBatches">Groups of examples, each padded to its longest.</param>
    public static double PaddingShare(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches)
    {
        long computed = microBatches.Sum(group => (long)group.Count * group.Max(e => e.Length));
        return computed == 0 ? 0 : 1 - microBatches.Sum(group => group.Sum(e => (long)e.Length)) / (double)computed;
    }
}
