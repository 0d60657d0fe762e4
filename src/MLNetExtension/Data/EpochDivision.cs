namespace MLNetExtension.Data;

/// <summary>How the examples of an epoch, in its order, are divided into batches: into as many in every epoch, so that a step tells its epoch and its batch. Nothing is dropped, and no batch is empty.</summary>
internal abstract class EpochDivision
{
    /// <summary>Batches of an epoch, at least 1.</summary>
    public abstract int Count { get; }

    /// <summary>Makes batches of so many examples; the last of an epoch may have fewer.</summary>
    /// <param name="examples">Number of examples, at least 1.</param>
    /// <param name="batchSize">Examples of a batch, at least 1; more than there are is all of them.</param>
    public static EpochDivision ByRows(int examples, int batchSize) => new Rows(examples, batchSize);

    /// <summary>
    /// Makes batches of nearly as many target tokens each. An epoch has as few batches as keep their mean at or below the number, and a batch ends with the example that reaches its share of the epoch's tokens; so
    /// it has at most the number and one example's tokens more.
    /// </summary>
    /// <param name="examples">The examples, at least one.</param>
    /// <param name="batchTargetTokens">Target tokens of a batch, at least 1, as for <see cref="Batch.TargetTokens"/>.</param>
    public static EpochDivision ByTargetTokens(IReadOnlyList<TokenExample> examples, int batchTargetTokens) => new TargetTokens(examples, batchTargetTokens);

    /// <summary>Divides an epoch.</summary>
    /// <param name="order">The examples in the epoch's order.</param>
    public abstract IEnumerable<int[]> Divide(int[] order);

    private sealed class Rows(int examples, int batchSize) : EpochDivision
    {
        public override int Count => (examples - 1) / batchSize + 1;

        public override IEnumerable<int[]> Divide(int[] order) => order.Chunk(batchSize);
    }

    private sealed class TargetTokens : EpochDivision
    {
        private readonly int[] _tokens;    // of each example
        private readonly long _total;

        public TargetTokens(IReadOnlyList<TokenExample> examples, int batchTargetTokens)
        {
            _tokens = [.. examples.Select(example => example.HasTargets ? example.TargetCount : 0)];
            _total = _tokens.Sum(count => (long)count);
            Count = (int)Math.Clamp((_total - 1) / batchTargetTokens + 1, 1, _tokens.Length);
        }

        public override int Count { get; }

        public override IEnumerable<int[]> Divide(int[] order)
        {
            int start = 0;
            long tokens = 0;
            for (int batch = 1; batch < Count; batch++)
            {
                // An example is left for each of the later batches, however long those before were.
                int end = start, last = order.Length - (Count - batch);
                do
                    tokens += _tokens[order[end++]];
                while (end < last && (Int128)tokens * Count < (Int128)_total * batch);
                yield return order[start..end];
                start = end;
            }
            yield return order[start..];
        }
    }
}
