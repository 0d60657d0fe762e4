using System.Diagnostics;
using MLNetExtension.Data;
using MLNetExtension.Training.Accumulation;

namespace MLNetExtension.Training.Splitting;

/// <summary>The plans among which the fastest is searched.</summary>
/// <param name="Start">Whether rows are packed, and how many threads there are.</param>
/// <param name="Workers">Numbers of workers to try, in ascending order.</param>
/// <param name="MemoryLimitMiB">Most memory that the process may hold; null for no limit.</param>
internal sealed record SearchSpace(SplitPlan Start, IReadOnlyList<int> Workers, int? MemoryLimitMiB);

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
    private readonly SearchSpace _space;
    private readonly CancellationToken _cancellationToken;
    private readonly long _whole;
    private readonly int _longest;
    private Trial? _best;
    private double _peakMiB;

    private MicroBatchTuner(BatchGradient gradient, IReadOnlyList<TokenExample> batch, SearchSpace space, CancellationToken cancellationToken)
    {
        (_gradient, _batch, _space, _cancellationToken) = (gradient, batch, space, cancellationToken);
        (_whole, _longest) = space.Start.CountPositions(batch);
    }

    /// <summary>Tries plans on a batch, without changing any weight.</summary>
    /// <param name="gradient">Computes the batch's gradient; left zeroed, with the workers of the plan found.</param>
    /// <param name="batch">The batch that training starts with.</param>
    /// <param name="space">The plans to try.</param>
    /// <param name="cancellationToken">Ends the search before the next micro-batch.</param>
    /// <exception cref="OperationCanceledException">The token asked for it.</exception>
    public static SplitPlan FindFastestPlan(BatchGradient gradient, IReadOnlyList<TokenExample> batch, SearchSpace space, CancellationToken cancellationToken = default)
    {
        SplitPlan fastest = new MicroBatchTuner(gradient, batch, space, cancellationToken).Search();
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

    private SplitPlan Search()
    {
        int fewest = _space.Workers[0];
        foreach (int workers in _space.Workers)
        {
            if (workers > fewest && SizeOfBuffers(workers) > LargestBuffers)
                break;
            double fastest = FindFastest(workers);
            if (fastest > PastTheBest * _best?.Seconds)
                break;
        }
        return _best?.Plan ?? _space.Start with { Tokens = _longest, Workers = fewest };
    }

    // Tries ever larger micro-batches with a number of workers, and gives the seconds of the fastest that fits.
    private double FindFastest(int workers)
    {
        double fastest = double.PositiveInfinity;
        int notWorthIt = 0;
        for (long tokens = _longest; tokens == _longest || tokens < Math.Min(2 * _whole / workers, int.MaxValue); tokens *= 2)
        {
            double tooSlow = PastTheBest * fastest;
            if (TryPlan(_space.Start with { Tokens = (int)tokens, Workers = workers }, tooSlow) is not { } trial || trial.Seconds > tooSlow)
                break;
            if (_best is null || (trial.Fits && IsWorthIt(trial, _best.Seconds)))
                _best = trial;
            if (!trial.Fits)
                break;
            notWorthIt = IsWorthIt(trial, fastest) ? 0 : notWorthIt + (trial.MemoryGrowthMiB > MuchMemoryMiB ? 2 : 1);
            fastest = Math.Min(fastest, trial.Seconds);
            if (notWorthIt >= 2)
                break;
        }
        return fastest;
    }

    // Null where memory runs out.
    private Trial? TryPlan(SplitPlan plan, double tooSlow)
    {
        IReadOnlyList<IReadOnlyList<TokenExample>> microBatches = plan.Split(_batch);
        using KernelThreads? threads = KernelThreads.Limit(plan.Threads, plan.Workers);
        using MemoryWatch memory = new();
        double peakBefore = Math.Max(_peakMiB, memory.PeakMiB), seconds = double.PositiveInfinity;
        long begin = Stopwatch.GetTimestamp();
        for (int run = 0; run < Runs && (run < 2 || Stopwatch.GetElapsedTime(begin) < _longEnough); run++)
        {
            if (Time(microBatches, plan.Workers) is not { } time)
                return null;
            seconds = Math.Min(seconds, time);
            if (seconds > 2 * tooSlow)
                break;
        }
        double peak = memory.PeakMiB;
        _peakMiB = Math.Max(peakBefore, peak);
        return new Trial(plan, seconds, _peakMiB - peakBefore, Fits: !(peak > _space.MemoryLimitMiB));
    }

    // Seconds of a run; null where memory runs out.
    private double? Time(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, int workers)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            _gradient.Accumulate(microBatches, workers, cancellationToken: _cancellationToken);
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

    private long SizeOfBuffers(int workers) => (workers - 1) * _gradient.Parameters.Length * _gradient.Parameters.Gradients.element_size();

    private static bool IsWorthIt(Trial trial, double seconds) => trial.Seconds * WorthTheMemory < seconds;

    private sealed record Trial(SplitPlan Plan, double Seconds, double MemoryGrowthMiB, bool Fits);
}
