namespace MLNetExtension.Data;

/// <summary>The order in which an epoch visits the examples: a pure function of seed and epoch, so that resuming is arithmetic.</summary>
/// <param name="count">Number of examples.</param>
/// <param name="seed">Seed of the whole training.</param>
/// <param name="rowOrder">Whether they are shuffled.</param>
internal sealed class EpochSampler(int count, int seed, RowOrder rowOrder = RowOrder.Shuffled)
{
    /// <summary>Gives the order of an epoch, a permutation of 0 to count - 1.</summary>
    /// <param name="epoch">The epoch, from 0. Where examples are shuffled, epochs differ in their order.</param>
    public int[] Order(int epoch)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        if (rowOrder == RowOrder.AsGiven)
            return order;
        var random = new SplitMix64(SplitMix64.Mix((ulong)(uint)seed << 32 | (uint)epoch));
        // Fisher and Yates's shuffle, with a generator of our own: an order must not change with the version of .NET.
        for (int i = count - 1; i > 0; i--)
        {
            int j = random.NextInt32(i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }
        return order;
    }

    /// <summary>Gives the dropout seed of a step, a pure function of seed and step.</summary>
    /// <param name="seed">Seed of the whole training.</param>
    /// <param name="step">The step, from 0.</param>
    public static long DropoutSeed(int seed, int step) => (long)(SplitMix64.Mix(SplitMix64.Mix((ulong)(uint)seed) + (uint)step) >> 1);
}
