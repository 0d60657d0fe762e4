namespace MLNetExtension.Training;

/// <summary>How a batch is computed: a matter of memory and speed. But for <see cref="Precision"/>, the result is the same up to rounding.</summary>
public sealed record BatchingOptions
{
    // Beyond any machine: a larger number is a mistake, and starting so many threads ends the process or takes minutes.
    private const int MostThreads = 1024, MostWorkers = 256;

    /// <summary>
    /// Most positions that pass through the model together, padding included; a longer row passes alone.
    /// Default null: a training of 200 steps or more tries several numbers on its own steps and keeps the fastest that is worth its memory: up to a quarter more than the least is free, and what needs more
    /// has to be faster by a tenth. A shorter one, and one whose loss depends on the split, takes 512, or 4,096 on a GPU. A number, at least 1, makes runs equal bit for bit.
    /// </summary>
    public int? MaximumTokensPerMicroBatch { get; init; }

    /// <summary>
    /// Most memory, in MiB, that may be in use while numbers of tokens per micro-batch are tried and after: by the process on the CPU, on a GPU by all processes on that device. What a number needs is predicted
    /// from what smaller ones took, and what would pass the limit is not tried; where not even the smallest fits, that is what is kept. What the process once held and has given back does not count.
    /// Default null: what the machine or its container has, or the device where NVIDIA's driver tells; otherwise trials on a GPU end where its memory runs out. Above 0.
    /// </summary>
    public int? MemoryLimitMiB { get; init; }

    /// <summary>
    /// CPU threads that training uses, and scoring with the trained model. Default null: as many as <c>OMP_NUM_THREADS</c> or <c>MKL_NUM_THREADS</c> allows, else one for each processor. From 1 to 1,024; more than there are processors are as
    /// many as there are.
    /// The number that libtorch uses outside of training is left alone.
    /// </summary>
    public int? Threads { get; init; }

    /// <summary>
    /// How many micro-batches are computed side by side on the CPU, each on its own thread with its own gradient buffer (4 bytes a parameter). They share <see cref="Threads"/>.
    /// Default null: tried together with the number of tokens per micro-batch, and 1 where that is given or nothing is tried. From 1 to 256, and 1 on a GPU; a batch of fewer micro-batches starts no more than it has.
    /// </summary>
    public int? Workers { get; init; }

    /// <summary>
    /// Whether the rows of a micro-batch are laid one after another, without padding, instead of side by side. Attention stays within each row.
    /// Default null: on the CPU, where it is faster.
    /// </summary>
    public bool? PackRows { get; init; }

    /// <summary>Whether the activations inside blocks are computed again in the backward pass instead of kept: less memory, about a third more time, the same result bit for bit. Default false.</summary>
    public bool ActivationRecomputation { get; init; }

    /// <summary>The type that the model computes in. Default <see cref="ComputePrecision.Float32"/>.</summary>
    public ComputePrecision Precision { get; init; } = ComputePrecision.Float32;

    internal void Validate(string group)
    {
        Require.That(MaximumTokensPerMicroBatch is null or >= 1, MaximumTokensPerMicroBatch, "at least 1", group);
        Require.That(MemoryLimitMiB is null or > 0, MemoryLimitMiB, "above 0", group);
        Require.That(Threads is null or (>= 1 and <= MostThreads), Threads, $"from 1 to {MostThreads}", group);
        Require.That(Workers is null or (>= 1 and <= MostWorkers), Workers, $"from 1 to {MostWorkers}", group);
        Require.Defined(Precision, group);
    }
}
