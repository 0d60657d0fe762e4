using System.Diagnostics;
using MLNetExtension.Data;
using MLNetExtension.Training.Accumulation;

namespace MLNetExtension.Training.Splitting;

/// <summary>
/// Finds the fastest split on the machine at hand: the split is free, and which one is fastest is for caches to decide, not for a rule. Small
/// micro-batches are tried first, so that memory grows step by step and the search can stop at a limit.
/// </summary>
internal static class MicroBatchTuner
{
    /// <summary>The tokens of a micro-batch where a training is too short to be worth a search.</summary>
    public const int DefaultTokens = 2048;

    // Once a budget is slower than the best by this, caches are left behind: larger ones would cost memory for nothing.
    private const double PastTheBest = 1.1;

    // A plan that needs more memory wins over one that needs less only where it is faster by this. The first larger budget that is not, or the second where memory hardly grew, ends the search.
    private const double WorthTheMemory = 1.05;
    private const double MuchMemoryMiB = 64;

    // More workers are tried only while their gradient buffers take no more than this: the kernels of larger models are long enough to be shared out, so there is nothing to gain
    // (GPT-2 124M on two cores: 253 tokens a second by two workers, 251 by one).
    private const long LargestBuffers = 256L << 20;

    // Machines are noisy: the fastest of a few runs tells what a plan can do. The first also pays for the memory of a new shape. Batches that take long are noisy less, and are run only twice.
    private const int Runs = 4;
    private static readonly TimeSpan _longEnough = TimeSpan.FromSeconds(2);

    /// <summary>Tries plans on a batch, without changing any weight.</summary>
    /// <param name="gradient">Computes the batch's gradient; left zeroed, with the workers of the plan found.</param>
    /// <param name="batch">The batch that training is about to begin with.</param>
    /// <param name="start">Says whether rows are packed, and what threads there are.</param>
    /// <param name="workers">Numbers of workers to try, in ascending order.</param>
    /// <param name="memoryLimitMiB">Most memory that the process may come to hold; null for no limit.</param>
    public static SplitPlan FastestPlan(ParallelGradient gradient, IReadOnlyList<TokenExample> batch, SplitPlan start, IReadOnlyList<int> workers, int? memoryLimitMiB)
    {
        TokenExample[] rows = [.. batch.Where(e => e.HasTargets)];
        int longest = rows.Max(e => e.Length), whole = start.Pack ? rows.Sum(e => e.Length) : rows.Length * longest;
        SplitPlan fastest = start with { Tokens = longest, Workers = workers[0] };
        double best = double.PositiveInfinity;
        foreach (int count in workers)
        {
            if (count > workers[0] && (count - 1) * gradient.Parameters.Length * gradient.Parameters.Gradients.element_size() > LargestBuffers)
                break;
            double bestOfCount = double.PositiveInfinity;
            int notWorthIt = 0;
            for (int tokens = longest; tokens == longest || tokens < 2 * whole / count; tokens *= 2)
            {
                SplitPlan plan = start with { Tokens = tokens, Workers = count };
                double before = PeakMemoryMiB();
                if (!TryTime(gradient, batch, plan, PastTheBest * bestOfCount, out double seconds) || seconds > PastTheBest * bestOfCount)
                    break;
                bool fits = memoryLimitMiB is null || PeakMemoryMiB() <= memoryLimitMiB, first = double.IsPositiveInfinity(best);
                if (first || (fits && seconds * WorthTheMemory < best))
                    (best, fastest) = (seconds, plan);
                if (!fits)
                    break;
                notWorthIt = seconds * WorthTheMemory < bestOfCount ? 0 : notWorthIt + (PeakMemoryMiB() - before > MuchMemoryMiB ? 2 : 1);
                bestOfCount = Math.Min(bestOfCount, seconds);
                if (notWorthIt >= 2)
                    break;
            }
            if (bestOfCount > PastTheBest * best)
                break;
        }
        gradient.Shrink(fastest.Workers);
        return fastest;
    }

    /// <summary>Numbers of workers that are worth a try on the CPU: 1, 2, 4 and so on, and all threads that libtorch uses.</summary>
    /// <param name="threads">The threads that libtorch uses in a kernel.</param>
    public static IReadOnlyList<int> WorkersOf(int threads)
    {
        List<int> workers = [];
        for (int count = 1; count < threads; count *= 2)
            workers.Add(count);
        return [.. workers, threads];
    }

    private static bool TryTime(ParallelGradient gradient, IReadOnlyList<TokenExample> batch, SplitPlan plan, double hopeless, out double seconds)
    {
        seconds = double.PositiveInfinity;
        IReadOnlyList<IReadOnlyList<TokenExample>> microBatches = plan.Split(batch);
        using KernelThreads? threads = KernelThreads.Of(plan);
        long begin = Stopwatch.GetTimestamp();
        for (int run = 0; run < Runs && (run < 2 || Stopwatch.GetElapsedTime(begin) < _longEnough); run++)
        {
            long start = Stopwatch.GetTimestamp();
            try
            {
                gradient.Accumulate(microBatches, plan.Workers);
            }
            catch (Exception exception) when (OutOfMemory.IsSaidBy(exception))
            {
                return false;
            }
            finally
            {
                gradient.Reset();
            }
            seconds = Math.Min(seconds, Stopwatch.GetElapsedTime(start).TotalSeconds);
            if (seconds > 2 * hopeless)
                return true;
        }
        return true;
    }

    private static double PeakMemoryMiB()
    {
        using Process process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 / (1024.0 * 1024);
    }
}
