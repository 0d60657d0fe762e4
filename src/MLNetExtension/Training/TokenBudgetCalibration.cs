using System.Diagnostics;
using MLNetExtension.Batching;
using MLNetExtension.Data;

namespace MLNetExtension.Training;

/// <summary>
/// Finds the fastest budget on the machine at hand: the cut is free, and which one is fastest is for caches to decide, not for a rule. Small
/// budgets are tried first, so that memory grows step by step and the search can stop at a limit.
/// </summary>
internal static class TokenBudgetCalibration
{
    /// <summary>What is used where a training is too short to be worth a search.</summary>
    public const int Default = 2048;

    // Once a budget is slower than the best by this, caches are left behind: larger ones would cost memory for nothing.
    private const double PastTheBest = 1.1;

    // Machines are noisy: the fastest of a few runs tells what a budget can do. The first also pays for the memory of a new shape.
    private const int Runs = 3;

    // A smaller budget wins over a larger one that is faster by less than this: it needs less memory.
    private const double WorthTheMemory = 1.03;

    /// <summary>Tries budgets on a window, without changing any weight.</summary>
    /// <param name="gradient">Computes the window's gradient; left zeroed.</param>
    /// <param name="window">The window that training is about to begin with.</param>
    /// <param name="memoryLimitMiB">Most memory that the process may come to hold; null for no limit.</param>
    public static int FastestBudget(WindowGradient gradient, IReadOnlyList<TokenExample> window, int? memoryLimitMiB)
    {
        int longest = window.Where(e => e.HasTargets).Max(e => e.Length), fastest = longest;
        double best = double.PositiveInfinity;
        for (int rows = 1; rows < 2 * window.Count; rows *= 2)
        {
            int budget = rows * longest;
            if (!TryTime(gradient, window, budget, out double seconds) || seconds > PastTheBest * best)
                break;
            bool fits = memoryLimitMiB is null || PeakMemoryMiB() <= memoryLimitMiB;
            if (!fits && rows > 1)
                break;
            if (seconds * WorthTheMemory < best)
                (best, fastest) = (seconds, budget);
        }
        return fastest;
    }

    private static bool TryTime(WindowGradient gradient, IReadOnlyList<TokenExample> window, int budget, out double seconds)
    {
        seconds = double.PositiveInfinity;
        IReadOnlyList<IReadOnlyList<TokenExample>> cut = MicroBatchPlanner.Cut(window, budget);
        for (int run = 0; run < Runs; run++)
        {
            long start = Stopwatch.GetTimestamp();
            try
            {
                gradient.Accumulate(cut);
            }
            catch (Exception exception) when (TokenBudget.IsOutOfMemory(exception))
            {
                return false;
            }
            finally
            {
                gradient.Reset();
            }
            seconds = Math.Min(seconds, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return true;
    }

    private static double PeakMemoryMiB()
    {
        using Process process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 / (1024.0 * 1024);
    }
}
