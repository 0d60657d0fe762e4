using MLNetExtension.Training.Splitting;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Accumulation;

/// <summary>Sets how many threads libtorch computes with where the calling thread calls it, and puts the number back when disposed of.</summary>
internal sealed class KernelThreads : IDisposable
{
    // Asked for first: a thread takes over the process's number when libtorch first needs one on it, and would take it over what is set before.
    private readonly int _before = get_num_threads();

    /// <summary>Sets the number.</summary>
    /// <param name="count">At least 1.</param>
    public KernelThreads(int count)
    {
        if (count != _before)
            set_num_threads(count);
    }

    /// <summary>
    /// How many threads there are cores for: those that <c>OMP_NUM_THREADS</c> or <c>MKL_NUM_THREADS</c> allows, else one for each processor. libtorch by itself may use only half of the
    /// processors, because it takes every other one for a hyper-thread.
    /// </summary>
    public static int Available { get; } =
        Environment.GetEnvironmentVariable("OMP_NUM_THREADS") is null && Environment.GetEnvironmentVariable("MKL_NUM_THREADS") is null ? Environment.ProcessorCount : get_num_threads();

    /// <summary>Limits kernels to a worker's share of a plan's threads.</summary>
    /// <param name="plan">The plan.</param>
    /// <returns>Null where training is not on the CPU.</returns>
    public static KernelThreads? Limit(SplitPlan plan) => plan.Threads is { } threads ? new KernelThreads(Math.Max(1, threads / plan.Workers)) : null;

    /// <summary>Puts the number back.</summary>
    public void Dispose()
    {
        if (get_num_threads() != _before)
            set_num_threads(_before);
    }
}
