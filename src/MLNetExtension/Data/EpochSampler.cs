namespace MLNetExtension.Data;

/// <summary>The order in which an epoch visits the examples: a pure function of seed and epoch, so that resuming is arithmetic.</summary>
/// <param name="count">Number of examples.</param>
/// <param name="seed">Seed of the whole training.</param>
internal sealed class EpochSampler(int count, int seed)
{
    /// <summary>Gives the order of an epoch, a permutation of 0 to count - 1.</summary>
    /// <param name="epoch">The epoch, from 0. Epochs differ in their order.</param>
    public int[] Order(int epoch)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        ulong state = Mix((ulong)(uint)seed << 32 | (uint)epoch);
        // Fisher and Yates's shuffle, with a generator of our own: an order must not change with the version of .NET.
        for (int i = count - 1; i > 0; i--)
        {
            state += 0x9E3779B97F4A7C15;
            int j = (int)(((UInt128)Mix(state) * (ulong)(i + 1)) >> 64);
            (order[i], order[j]) = (order[j], order[i]);
        }
        return order;
    }

    /// <summary>Gives the dropout seed of a step, a pure function of seed and step.</summary>
    /// <param name="seed">Seed of the whole training.</param>
    /// <param name="step">The step, from 0.</param>
    public static long DropoutSeed(int seed, int step) => (long)(Mix(Mix((ulong)(uint)seed) + (uint)step) >> 1);

    // SplitMix64's finaliser (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
