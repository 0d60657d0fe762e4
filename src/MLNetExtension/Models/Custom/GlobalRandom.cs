using static TorchSharp.torch;

namespace MLNetExtension.Models.Custom;

/// <summary>Runs code that draws from torch's global random numbers: from a seed, one caller at a time, and with the CPU generator's state restored afterwards.</summary>
internal static class GlobalRandom
{
    private static readonly Lock Gate = new();

    /// <summary>Runs a function from a seed.</summary>
    /// <param name="seed">The same seed gives the same numbers.</param>
    /// <param name="draw">The function.</param>
    /// <param name="drew">Whether it drew from the CPU's generator.</param>
    public static T Run<T>(long seed, Func<T> draw, out bool drew)
    {
        lock (Gate)
        {
            using Tensor before = random.get_rng_state().DetachFromDisposeScope();
            random.manual_seed(seed);
            using Tensor seeded = random.get_rng_state().DetachFromDisposeScope();
            try
            {
                return draw();
            }
            finally
            {
                using Tensor after = random.get_rng_state().DetachFromDisposeScope();
                drew = !after.bytes.SequenceEqual(seeded.bytes);
                random.set_rng_state(before);
            }
        }
    }
}
