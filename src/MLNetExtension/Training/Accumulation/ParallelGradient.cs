using MLNetExtension.Data;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Accumulation;

/// <summary>
/// The gradient of a batch by several workers. Each is a thread of its own with a replica of the model: the weights are shared, the gradient buffer is its own. Every worker sums
/// its part of the micro-batches, then the sums are added up and divided once, exactly as if one had summed them all. Parts are dealt by size alone, so a run is repeated bit for bit.
/// </summary>
/// <remarks>On a CPU this is faster than one worker whose kernels use all cores: kernels of small models are too short to be shared out, and every one ends with a wait.</remarks>
internal sealed class ParallelGradient : IDisposable
{
    private readonly List<BatchGradient> _gradients;     // the first is that of the model itself, and the calling thread's
    private readonly List<WorkerThread> _threads = [];    // the other workers
    private int _cores;                                   // of each of those

    /// <summary>Begins with one worker, the calling thread.</summary>
    /// <param name="gradient">The gradient of the model; this owns it from now on.</param>
    public ParallelGradient(BatchGradient gradient) => _gradients = [gradient];

    /// <summary>The model's parameters and their gradients.</summary>
    public FlatParameters Parameters => _gradients[0].Parameters;

    /// <summary>Accumulates the gradient of a batch into the flat parameters, which must be zero before.</summary>
    /// <param name="microBatches">The batch's examples in micro-batches; a micro-batch without a target is passed over.</param>
    /// <param name="workers">How many micro-batches are computed side by side, at least 1, each with as many threads as libtorch uses on the calling thread.</param>
    /// <param name="dropoutSeed">Seed of dropout.</param>
    public BatchLoss Accumulate(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, int workers = 1, long dropoutSeed = 0)
    {
        if (Math.Min(workers, microBatches.Count) <= 1)
            return _gradients[0].Accumulate(microBatches, dropoutSeed);

        Employ(workers);
        workers = Math.Min(workers, microBatches.Count);
        int[][] parts = Deal(microBatches, workers);
        if (_gradients[0].CountsRoutingFirst)
        {
            Each(parts, (gradient, part) => gradient.CountRouting(microBatches, part, dropoutSeed));
            BatchGradient.ShareRouting(_gradients[..workers]);
        }
        Each(parts, (gradient, part) => gradient.Add(microBatches, part, dropoutSeed));
        foreach (BatchGradient other in _gradients[1..workers])
            _gradients[0].Merge(other);
        return _gradients[0].Finish();
    }

    /// <summary>Makes ready for the next batch.</summary>
    public void Reset() => _gradients.ForEach(gradient => gradient.Reset());

    /// <summary>Frees what workers beyond a number hold.</summary>
    /// <param name="workers">How many stay, at least 1.</param>
    public void Shrink(int workers)
    {
        if (workers <= _threads.Count)
            EndThreads();
        while (_gradients.Count > workers)
        {
            _gradients[^1].Dispose();
            _gradients.RemoveAt(_gradients.Count - 1);
        }
    }

    /// <summary>Frees the buffers; the model keeps its weights.</summary>
    public void Dispose()
    {
        EndThreads();
        _gradients.ForEach(gradient => gradient.Dispose());
    }

    private void Employ(int workers)
    {
        int cores = get_num_threads();
        if (_threads.Count != workers - 1 || _cores != cores)
        {
            EndThreads();
            _cores = cores;
            for (int k = 1; k < workers; k++)
                _threads.Add(new WorkerThread(_cores));
        }
        // Made on a worker's thread, where no dispose scope of the caller's is open.
        while (_gradients.Count < workers)
            _threads[0].Start(() => _gradients.Add(_gradients[0].Replicate())).GetAwaiter().GetResult();
    }

    private void EndThreads()
    {
        _threads.ForEach(thread => thread.Dispose());
        _threads.Clear();
    }

    // By tokens. A worker adds its part in the batch's order.
    private static int[][] Deal(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, int workers)
    {
        long[] tokens = [.. microBatches.Select(rows => rows.Sum(row => (long)row.Length))];
        IEnumerable<int> largestFirst = Enumerable.Range(0, microBatches.Count).OrderByDescending(k => tokens[k]);
        return [.. MicroBatchPlanner.Level(largestFirst, workers, k => tokens[k]).Select(part => part.Order().ToArray())];
    }

    // Waits for all of them, whatever one of them throws: none may go on writing into a batch that is given up.
    private void Each(int[][] parts, Action<BatchGradient, int[]> action)
    {
        Task[] others = [.. parts.Skip(1).Select((part, k) => _threads[k].Start(() => action(_gradients[k + 1], part)))];
        try
        {
            action(_gradients[0], parts[0]);
        }
        finally
        {
            Task.WhenAll(others).ContinueWith(_ => { }, TaskScheduler.Default).Wait();
        }
        Task.WhenAll(others).GetAwaiter().GetResult();
    }
}
