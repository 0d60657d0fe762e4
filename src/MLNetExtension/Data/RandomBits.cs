using static TorchSharp.torch;

namespace MLNetExtension.Data;

/// <summary>Random numbers as tensors: those of <see cref="SplitMix64"/>, so a function of their seeds alone and the same on every device.</summary>
internal static class RandomBits
{
    /// <summary>2^30: numbers are from minus this to below this.</summary>
    public const long Range = 1L << 30;

    /// <summary>Gives the states of a generator, from which it makes its numbers.</summary>
    /// <param name="first">How many numbers come before, plus 1.</param>
    /// <param name="count">N.</param>
    /// <param name="device">Where they are needed.</param>
    /// <returns>What has to be added to the generator's seed, [N] int64.</returns>
    public static Tensor States(long first, long count, Device device) => arange(Scalars.Of(first), Scalars.Of(first + count), dtype: int64, device: device).mul_(Scalars.Of(unchecked((long)SplitMix64.Increment)));

    /// <summary>Gives the highest 31 bits of the numbers, as whole numbers with a sign: uniform from -2^30 to 2^30 - 1.</summary>
    /// <param name="states">The generators' states, of any shape, int64; overwritten.</param>
    /// <returns>The same shape, int64, in the same memory.</returns>
    /// <remarks>The last step of the mixing changes the lower bits alone, and is left out.</remarks>
    public static Tensor Draw(Tensor states)
    {
        foreach ((int shift, ulong factor) in SplitMix64.Rounds)
        {
            // A shift of a number with a sign fills with its sign: the mask takes that away.
            using Tensor shifted = states.bitwise_right_shift(tensor((long)shift)).bitwise_and_(tensor(long.MaxValue >> (shift - 1)));
            states.bitwise_xor_(shifted).mul_(Scalars.Of(unchecked((long)factor)));
        }
        return states.bitwise_right_shift_(tensor(33L));
    }
}
