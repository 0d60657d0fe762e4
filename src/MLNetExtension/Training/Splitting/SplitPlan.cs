using MLNetExtension.Data;

namespace MLNetExtension.Training.Splitting;

/// <summary>How batches are split, and by how many workers they are computed: a matter of memory and speed alone.</summary>
/// <param name="Tokens">Most positions of a micro-batch.</param>
/// <param name="Workers">How many micro-batches are computed side by side.</param>
/// <param name="Threads">Threads of the CPU that workers share; null where training is not on the CPU.</param>
/// <param name="Pack">Whether rows lie one after another, without padding.</param>
internal readonly record struct SplitPlan(int Tokens, int Workers, int? Threads, bool Pack)
{
    /// <summary>Splits a batch into micro-batches.</summary>
    /// <param name="batch">The examples of one optimizer step.</param>
    public IReadOnlyList<IReadOnlyList<TokenExample>> Split(IReadOnlyList<TokenExample> batch) =>
        Pack ? MicroBatchPlanner.SplitPacked(batch, Tokens, Workers) : MicroBatchPlanner.Split(batch, Tokens);

    /// <summary>Gives a plan that needs less memory: half the tokens, or where rows stand alone already, a single worker.</summary>
    /// <param name="batch">The batch that did not fit.</param>
    /// <returns>Null where there is none: then memory is too small for a single row.</returns>
    public SplitPlan? Smaller(IReadOnlyList<TokenExample> batch)
    {
        // A budget above the whole batch splits no finer than the batch itself. Rows without a target are never laid into it.
        TokenExample[] rows = [.. batch.Where(e => e.HasTargets)];
        int longest = rows.Max(e => e.Length), whole = Pack ? rows.Sum(e => e.Length) : rows.Length * longest;
        int tokens = Math.Min(Tokens, whole);
        if (tokens > longest)
            return this with { Tokens = Math.Max(1, tokens / 2) };
        return Workers > 1 ? this with { Workers = 1 } : null;
    }
}
