namespace MLNetExtension.Data;

/// <summary>The order in which an epoch visits the examples: a pure function of seed and epoch, so that resuming is arithmetic.</summary>
/// <param name="count">Number of examples.</param>
/// <param name="seed">Seed of the whole training.</param>
/// <param name="rowOrder">In which order they are visited. Default: shuffled.</param>
/// <param name="values">For each example its value in the order's column, no NaN; null where the order follows none.</param>
internal sealed class EpochSampler(int count, int seed, RowOrder? rowOrder = null, IReadOnlyList<double>? values = null)
{
    private readonly RowOrder _rowOrder = rowOrder ?? RowOrder.Shuffled;

    /// <summary>Gives the order of an epoch, a permutation of 0 to count - 1.</summary>
    /// <param name="epoch">The epoch, from 0. Where examples are shuffled, epochs differ in their order.</param>
    public int[] Order(int epoch)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        if (_rowOrder == RowOrder.AsGiven)
            return order;
        var random = new SplitMix64(SplitMix64.Mix((ulong)(uint)seed << 32 | (uint)epoch));
        // Fisher and Yates's shuffle, with a generator of our own: an order must not change with the version of .NET.
        for (int i = count - 1; i > 0; i--)
        {
            int j = random.NextInt32(i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }
        // A stable sort of what is shuffled: equal values stay shuffled, and the result does not depend on how it is sorted.
        return _rowOrder is RowOrder.AscendingOrder ascending && ascending.Holds(epoch) ? [.. order.OrderBy(row => values![row])] : order;
    }

    /// <summary>Gives the mean of the order's column over some examples; null where the order follows none.</summary>
    public double? MeanValue(IReadOnlyList<int> rows) => values is null ? null : rows.Average(row => values[row]);

    /// <summary>Gives the dropout seed of a step, a pure function of seed and step.</summary>
    /// <param name="seed">Seed of the whole training.</param>
    /// <param name="step">The step, from 0.</param>
    public static long DropoutSeed(int seed, int step) => (long)(SplitMix64.Mix(SplitMix64.Mix((ulong)(uint)seed) + (uint)step) >> 1);
}
