using MLNetExtension.Data;
using MLNetExtension.Models;
using MLNetExtension.Training.Ranks;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Accumulation;

/// <summary>
/// The gradient of a batch, split into micro-batches in any way and computed by any number of workers: the gradients of summed losses are added up and divided once.
/// </summary>
/// <remarks>
/// A worker is a thread with a replica of the model, which shares the weights and has a gradient buffer of its own. Micro-batches are assigned to workers by their sizes alone, so a run is
/// repeated bit for bit. On a CPU several workers are faster than one whose kernels use all cores: the kernels of small models are too short to be shared, and each ends with a wait.
/// </remarks>
internal sealed class BatchGradient : IDisposable
{
    private readonly List<WorkerGradient> _gradients;    // the first is that of the model itself, computed on the calling thread
    private readonly List<WorkerThread> _threads = [];    // of the other workers
    private int _coresPerThread;

    /// <summary>Starts with one worker, the calling thread.</summary>
    /// <param name="model">The model; it stays its owner's.</param>
    /// <param name="settings">How the gradient is computed. Default: the mean cross entropy of the targets.</param>
    public BatchGradient(CausalLanguageModel model, GradientSettings? settings = null) => _gradients = [new WorkerGradient(model, settings ?? new GradientSettings())];

    /// <summary>The model's parameters and their gradients.</summary>
    public FlatParameters Parameters => _gradients[0].Parameters;

    /// <summary>Whether <see cref="CountRouting"/> and <see cref="ShareRouting"/> come before <see cref="Add"/>.</summary>
    public bool CountsRoutingFirst => _gradients[0].CountsRoutingFirst;

    /// <summary>Computes the gradient of a batch into <see cref="FlatParameters.Gradients"/>, which must be zero before: all of what follows, in one process.</summary>
    /// <param name="microBatches">The batch's examples in micro-batches; a micro-batch without a target is skipped.</param>
    /// <param name="workers">How many micro-batches are computed at the same time, at least 1, each with as many threads as libtorch uses on the calling thread. No more are started than there are micro-batches.</param>
    /// <param name="dropoutSeed">Seed of dropout.</param>
    /// <param name="cancellationToken">Gives the batch up before the next micro-batch; <see cref="Reset"/> clears what is left of it.</param>
    /// <exception cref="OperationCanceledException">The token asked for it.</exception>
    public BatchLoss Accumulate(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, int workers = 1, long dropoutSeed = 0, CancellationToken cancellationToken = default)
    {
        if (CountsRoutingFirst)
        {
            CountRouting(microBatches, workers, dropoutSeed, cancellationToken);
            ShareRouting(SingleRank.Instance);
        }
        Add(microBatches, workers, dropoutSeed, cancellationToken);
        return DivideGradient(SingleRank.Instance);
    }

    /// <summary>Counts what routers decide in this rank's rows of a batch.</summary>
    /// <inheritdoc cref="Accumulate" path="/param"/>
    public void CountRouting(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, int workers, long dropoutSeed, CancellationToken cancellationToken)
    {
        _gradients.ForEach(gradient => gradient.ResetRouting());
        int[][] parts = Start(microBatches, workers);
        RunOnWorkers(parts, (gradient, part) => gradient.CountRouting(microBatches, part, dropoutSeed, cancellationToken));
    }

    /// <summary>Adds up what the routers of all ranks have decided, for all of them. Collective.</summary>
    /// <param name="ranks">The ranks.</param>
    public void ShareRouting(IRankGroup ranks) => WorkerGradient.ShareRouting(_gradients, ranks);

    /// <summary>Computes the log-probability of each row without a gradient: the same function of the weights, dropout included, as <see cref="Add"/> adds the gradient of for the same micro-batches and seed.</summary>
    /// <inheritdoc cref="Accumulate" path="/param"/>
    /// <returns>For each micro-batch, the sum over the targets of each row, in nats; 0 for rows of a micro-batch without a target.</returns>
    public double[][] ComputeLogProbabilities(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, int workers, long dropoutSeed, CancellationToken cancellationToken)
    {
        double[][] results = new double[microBatches.Count][];
        int[][] parts = Start(microBatches, workers);
        RunOnWorkers(parts, (gradient, part) => gradient.ComputeLogProbabilities(microBatches, part, dropoutSeed, results, cancellationToken));
        return results;
    }

    /// <summary>Adds the gradient of the summed loss of this rank's rows of a batch.</summary>
    /// <inheritdoc cref="Accumulate" path="/param"/>
    public void Add(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, int workers, long dropoutSeed, CancellationToken cancellationToken)
    {
        int[][] parts = Start(microBatches, workers);
        RunOnWorkers(parts, (gradient, part) => gradient.Add(microBatches, part, dropoutSeed, cancellationToken));
        foreach (WorkerGradient other in _gradients[1..parts.Length])
            _gradients[0].Merge(other);
    }

    /// <summary>Adds up what all ranks have summed of a batch, and divides the gradient, each rank its <see cref="Shard"/>; the rest of <see cref="FlatParameters.Gradients"/> is undefined then. Collective.</summary>
    /// <param name="ranks">The ranks.</param>
    public BatchLoss DivideGradient(IRankGroup ranks) => _gradients[0].DivideGradient(ranks);

    /// <summary>Sets sums, counts and gradients to zero, for the next batch.</summary>
    public void Reset() => _gradients.ForEach(gradient => gradient.Reset());

    /// <summary>Frees the memory of workers beyond a number.</summary>
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

    // Starts the workers for some micro-batches and gives each its part of them.
    private int[][] Start(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, int workers)
    {
        int used = Math.Max(1, Math.Min(workers, microBatches.Count));
        if (used > 1)
            StartWorkers(used);
        return Assign(microBatches, used);
    }

    private void StartWorkers(int workers)
    {
        int cores = get_num_threads();
        if (_coresPerThread != cores)
            EndThreads();
        _coresPerThread = cores;
        while (_threads.Count < workers - 1)
            _threads.Add(new WorkerThread(cores));
        // Made on a worker's thread, where no dispose scope of the caller's is open.
        while (_gradients.Count < workers)
            _threads[0].Start(() => _gradients.Add(_gradients[0].Replicate())).GetAwaiter().GetResult();
    }

    private void EndThreads()
    {
        _threads.ForEach(thread => thread.Dispose());
        _threads.Clear();
    }

    // For each worker the indices of its micro-batches, nearly as many tokens each. A worker adds its part in the batch's order.
    private static int[][] Assign(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, int workers)
    {
        long[] tokens = [.. microBatches.Select(rows => rows.Sum(row => (long)row.Length))];
        IEnumerable<int> largestFirst = Enumerable.Range(0, microBatches.Count).OrderByDescending(k => tokens[k]);
        List<int>[] parts = MicroBatchPlanner.Level(largestFirst, workers, k => tokens[k]);
        return [.. parts.Select(part => part.Order().ToArray())];
    }

    // Waits for all workers, whatever one of them throws: none may go on writing into a batch that is given up.
    private void RunOnWorkers(int[][] parts, Action<WorkerGradient, int[]> action)
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
