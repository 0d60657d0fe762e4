namespace MLNetExtension.Data;

/// <summary>A small random number generator whose sequence depends on its seed alone, on every platform and in every version of .NET.</summary>
/// <remarks>Source: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", 2014.</remarks>
internal struct SplitMix64(ulong seed)
{
    /// <summary>What its state grows by from number to number.</summary>
    public const ulong Increment = 0x9E3779B97F4A7C15;

    private const ulong FirstFactor = 0xBF58476D1CE4E5B9, SecondFactor = 0x94D049BB133111EB;

    private ulong _state = seed;

    /// <summary>The first rounds of <see cref="Mix"/>: x becomes (x ^ (x >> Shift)) * Factor. After them it is x ^ (x >> 31).</summary>
    public static IReadOnlyList<(int Shift, ulong Factor)> Rounds { get; } = [(30, FirstFactor), (27, SecondFactor)];

    /// <summary>Gives the next number, uniform over [0, 1) in steps of 2^-53.</summary>
    public double NextDouble() => (NextUInt64() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Gives the next number, uniform over the integers from 0 to <paramref name="count"/> - 1.</summary>
    public int NextInt32(int count) => (int)(((UInt128)NextUInt64() * (ulong)count) >> 64);

    /// <summary>Gives the next number, uniform over all of 64 bits.</summary>
    public ulong NextUInt64() => Mix(_state += Increment);

    /// <summary>Maps a number to another that looks random: equal inputs give equal outputs, different inputs different ones.</summary>
    public static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * FirstFactor;
        value = (value ^ (value >> 27)) * SecondFactor;
        return value ^ (value >> 31);
    }
}
