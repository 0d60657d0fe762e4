using System.Numerics;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

internal static class RandomUtils
{
    public static Random Create(int? seed = null) => seed is int value ? new TauswortheHybrid((uint)value) : new TauswortheHybrid(new Random());
    public static Random Create(Random seed) => new TauswortheHybrid(seed);

    /// <summary>0 to n - 1 in random order.</summary>
    public static int[] GetRandomPermutation(Random rand, int n)
    {
        int[] order = [.. Enumerable.Range(0, n)];
        for (int i = 0; i < n; i++)
        {
            int other = rand.Next(n - i) + i;
            (order[i], order[other]) = (order[other], order[i]);
        }
        return order;
    }
}

/// <summary>
/// Three Tausworthe generators and a linear congruential one, as in L'Ecuyer's and Nguyen's (GPU Gems 3, chapter 37): the genuine package's
/// generator, so that one seed draws the same rows with either.
/// Like it, only what older frameworks declared virtual is overridden: NextSingle and NextInt64 do not follow the seed.
/// </summary>
internal sealed class TauswortheHybrid : Random
{
    private uint _z1;
    private uint _z2;
    private uint _z3;
    private uint _z4;

    public TauswortheHybrid(uint seed)
    {
        _z1 = seed;
        _z2 = MurmurRound(_z1, _z1);
        _z3 = MurmurRound(_z2, _z1);
        _z4 = MurmurRound(_z3, _z1);
    }

    public TauswortheHybrid(Random rng)
    {
        _z1 = Draw(rng, 128);
        _z2 = Draw(rng, 128);
        _z3 = Draw(rng, 128);
        _z4 = Draw(rng, 0);
    }

    public override double NextDouble() => NextUInt() * (1.0 / (1L << 32));

    public override int Next()
    {
        uint u = NextUInt();
        return (int)(u + (u & 0x80000000u));
    }

    public override int Next(int maxValue)
    {
        Contracts.CheckParam(maxValue >= 0, nameof(maxValue), "maxValue must be non-negative");
        return (int)(((ulong)NextUInt() * (ulong)maxValue) >> 32);
    }

    public override int Next(int minValue, int maxValue)
    {
        Contracts.CheckParam(minValue <= maxValue, nameof(minValue), "minValue must be less than or equal to maxValue.");
        return (int)((long)(NextDouble() * ((long)maxValue - minValue)) + minValue);
    }

    public override void NextBytes(byte[] buffer)
    {
        Contracts.CheckValue(buffer, nameof(buffer));
        for (int i = 0; i < buffer.Length; i++)
            buffer[i] = (byte)Next();
    }

    private static uint Draw(Random rng, uint atLeast)
    {
        uint u;
        do
            u = ((uint)rng.Next(1 << 16) << 16) | (uint)rng.Next(1 << 16);
        while (u < atLeast);
        return u;
    }

    private static uint MurmurRound(uint hash, uint chunk)
    {
        chunk = BitOperations.RotateLeft(chunk * 0xCC9E2D51, 15) * 0x1B873593;
        return (BitOperations.RotateLeft(hash ^ chunk, 13) * 5) + 0xE6546B64;
    }

    private static uint Step(uint z, int left, int right, int shift, uint mask) => ((z & mask) << shift) ^ (((z << left) ^ z) >> right);

    private uint NextUInt()
    {
        _z1 = Step(_z1, 13, 19, 12, ~0x1u);
        _z2 = Step(_z2, 2, 25, 4, ~0x7u);
        _z3 = Step(_z3, 3, 11, 17, ~0xfu);
        _z4 = (_z4 * 1664525) + 1013904223;
        return _z1 ^ _z2 ^ _z3 ^ _z4;
    }
}
