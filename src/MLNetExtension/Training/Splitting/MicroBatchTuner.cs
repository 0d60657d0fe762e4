using System.Diagnostics;
using MLNetExtension.Data;
using MLNetExtension.Training.Accumulation;

namespace MLNetExtension.Training.Splitting;

/// <summary>
/// Finds the fastest split on the machine at hand by trying: every split gives the same gradient, and which one is fastest depends on caches. Small micro-batches are tried first,
/// so that memory grows step by step and the search can stop at a limit.
/// </summary>
internal sealed class MicroBatchTuner
{
    /// <summary>The tokens of a micro-batch where a training is too short to be worth a search.</summary>
    public const int DefaultTokens = 2048;

    // Once a budget is slower than the best by this, micro-batches no longer fit into the caches: larger ones would cost memory for nothing.
    private const double PastTheBest = 1.1;

    // A plan that needs more memory wins over one that needs less only where it is faster by this. The first larger budget that is not, or the second where memory hardly grew, ends the search.
    private const double WorthTheMemory = 1.05;
    private const double MuchMemoryMiB = 64;

    // More workers are tried only while their gradient buffers take no more than this: the kernels of larger models are long enough to be shared, so there is nothing to gain
    // (GPT-2 124M on two cores: 253 tokens a second by two workers, 251 by one).
    private const long LargestBuffers = 256L << 20;

    // Machines are noisy: the fastest of a few runs tells what a plan can do. The first also pays for the memory of a new shape. Long runs vary less, and two of them are enough.
    private const int Runs = 4;
    private static readonly TimeSpan _longEnough = TimeSpan.FromSeconds(2);

    private readonly BatchGradient _gradient;
    private readonly IReadOnlyList<TokenExample> _batch;
    private readonly SplitPlan _start;
    private readonly int? _memoryLimitMiB;
    private Trial? _best;

    private MicroBatchTuner(BatchGradient gradient, IReadOnlyList<TokenExample> batch, SplitPlan start, int? memoryLimitMiB) =>
        (_gradient, _batch, _start, _memoryLimitMiB) = (gradient, batch, start, memoryLimitMiB);

    /// <summary>Tries plans on a batch, without changing any weight.</summary>
    /// <param name="gradient">Computes the batch's gradient; left zeroed, with the workers of the plan found.</param>
    /// <param name="batch">The batch that training starts with.</param>
    /// <param name="start">Whether rows are packed, and how many threads there are.</param>
    /// <param name="workers">Numbers of workers to try, in ascending order.</param>
    /// <param name="memoryLimitMiB">Most memory that the process may come to hold; null for no limit.</param>
    public static SplitPlan FindFastestPlan(BatchGradient gradient, IReadOnlyList<TokenExample> batch, SplitPlan start, IReadOnlyList<int> workers, int? memoryLimitMiB)
    {
        SplitPlan fastest = new MicroBatchTuner(gradient, batch, start, memoryLimitMiB).Search(workers);
        gradient.Shrink(fastest.Workers);
        return fastest;
    }

    /// <summary>Lists the numbers of workers that are worth a try on the CPU: 1, 2, 4 and so on, and all threads that libtorch uses.</summary>
    /// <param name="threads">The threads that libtorch uses in a kernel.</param>
    public static IReadOnlyList<int> ListWorkers(int threads)
    {
        List<int> workers = [];
        for (int count = 1; count < threads; count *= 2)
            workers.Add(count);
        return [.. workers, threads];
    }

    private SplitPlan Search(IReadOnlyList<int> workers)
    {
        long bufferSize = _gradient.Parameters.Length * _gradient.Parameters.Gradients.element_size();
        foreach (int count in workers)
        {
            if (count > workers[0] && (count - 1) * bufferSize > LargestBuffers)
                break;
            double fastest = TryWorkers(count);
            if (fastest > PastTheBest * (_best?.Seconds ?? double.PositiveInfinity))
                break;
        }
        return _best?.Plan ?? _start with { Tokens = _start.CountPositions(_batch).Longest, Workers = workers[0] };
    }

    // Tries ever larger micro-batches with a number of workers, and gives the seconds of the fastest that fits.
    private double TryWorkers(int workers)
    {
        (int whole, int longest) = _start.CountPositions(_batch);
        double fastest = double.PositiveInfinity;
        int notWorthIt = 0;
        for (int tokens = longest; tokens == longest || tokens < 2 * whole / workers; tokens *= 2)
        {
            SplitPlan plan = _start with { Tokens = tokens, Workers = workers };
            if (TryPlan(plan, PastTheBest * fastest) is not { } trial || trial.Seconds > PastTheBest * fastest)
                break;
            if (_best is null || (trial.Fits && trial.Seconds * WorthTheMemory < _best.Seconds))
                _best = trial;
            if (!trial.Fits)
                break;
            notWorthIt = trial.Seconds * WorthTheMemory < fastest ? 0 : notWorthIt + (trial.MemoryGrowthMiB > MuchMemoryMiB ? 2 : 1);
            fastest = Math.Min(fastest, trial.Seconds);
            if (notWorthIt >= 2)
                break;
        }
        return fastest;
    }

    // Null where memory runs out.
    private Trial? TryPlan(SplitPlan plan, double tooSlow)
    {
        double memoryBefore = PeakMemoryMiB();
        IReadOnlyList<IReadOnlyList<TokenExample>> microBatches = plan.Split(_batch);
        using KernelThreads? threads = KernelThreads.Limit(plan);
        double seconds = double.PositiveInfinity;
        long begin = Stopwatch.GetTimestamp();
        for (int run = 0; run < Runs && (run < 2 || Stopwatch.GetElapsedTime(begin) < _longEnough); run++)
        {
            if (Time(microBatches, plan.Workers) is not { } time)
                return null;
            seconds = Math.Min(seconds, time);
            if (seconds > 2 * tooSlow)
                break;
        }
        double memory = PeakMemoryMiB();
        return new Trial(plan, seconds, memory - memoryBefore, Fits: _memoryLimitMiB is null || memory <= _memoryLimitMiB);
    }

    // Seconds of a run; null where memory runs out.
    private double? Time(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, int workers)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            _gradient.Accumulate(microBatches, workers);
        }
        catch (Exception exception) when (OutOfMemory.Caused(exception))
        {
            return null;
        }
        finally
        {
            _gradient.Reset();
        }
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static double PeakMemoryMiB()
    {
        using Process process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 / (1024.0 * 1024);
    }

    private sealed record Trial(SplitPlan Plan, double Seconds, double MemoryGrowthMiB, bool Fits);
}
