using MLNetExtension.Data;

namespace MLNetExtension.Training.Splitting;

/// <summary>How batches are split into micro-batches and by how many workers these are computed: a matter of memory and speed alone.</summary>
/// <param name="Tokens">Most positions of a micro-batch, padding included.</param>
/// <param name="Workers">How many micro-batches are computed at the same time.</param>
/// <param name="Threads">Threads of the CPU that workers share; null where training is not on the CPU.</param>
/// <param name="Pack">Whether rows lie one after another, without padding.</param>
internal readonly record struct SplitPlan(int Tokens, int Workers, int? Threads, bool Pack)
{
    /// <summary>Splits a batch into micro-batches.</summary>
    /// <param name="batch">The examples of one optimizer step.</param>
    public IReadOnlyList<IReadOnlyList<TokenExample>> Split(IReadOnlyList<TokenExample> batch) =>
        Pack ? MicroBatchPlanner.SplitPacked(batch, Tokens, Workers) : MicroBatchPlanner.Split(batch, Tokens);

    /// <summary>Counts the positions of a batch in a single micro-batch, and those of its longest row.</summary>
    /// <param name="batch">The examples of one optimizer step, at least one with a target. Rows without a target are in no micro-batch and do not count.</param>
    public (long Whole, int Longest) CountPositions(IReadOnlyList<TokenExample> batch)
    {
        TokenExample[] rows = [.. batch.Where(e => e.HasTargets)];
        int longest = rows.Max(e => e.Length);
        return (Pack ? rows.Sum(e => (long)e.Length) : (long)rows.Length * longest, longest);
    }

    /// <summary>Finds a plan that needs less memory: half the tokens, or where each row is a micro-batch already, a single worker.</summary>
    /// <param name="batch">The batch that did not fit into memory.</param>
    /// <returns>Null where there is none: memory is too small for a single row.</returns>
    public SplitPlan? Reduce(IReadOnlyList<TokenExample> batch)
    {
        (long whole, int longest) = CountPositions(batch);
        int tokens = (int)Math.Min(Tokens, whole);    // more tokens than the whole batch has would still give one micro-batch
        if (tokens > longest)
            return this with { Tokens = Math.Max(1, tokens / 2) };
        return Workers > 1 ? this with { Workers = 1 } : null;
    }
}
