using static TorchSharp.torch;

namespace MLNetExtension.Training.Ranks;

/// <summary>
/// The processes, called ranks, that train one model together, and what travels between them: sums, never means. Every call but <see cref="Abort"/> is collective: all ranks make the same calls, in the same
/// order, with tensors of the same length and type, and a call that differs is an
/// <see cref="UnequalCallsException"/> on every rank. One thread of a process calls at a time.
/// </summary>
internal interface IRankGroup
{
    /// <summary>The number of this process, from 0.</summary>
    int Rank { get; }

    /// <summary>How many processes there are, at least 1.</summary>
    int Size { get; }

    /// <summary>The number of this process among those of its machine, from 0.</summary>
    int LocalRank { get; }

    /// <summary>How many of the processes run on this machine, at least 1.</summary>
    int LocalSize { get; }

    /// <summary>How many CPU threads this process should compute with: its share of the processors it may run on, or what <c>OMP_NUM_THREADS</c> says.</summary>
    int Threads { get; }

    /// <summary>Whether what is in a GPU's memory goes through the host's on its way to the others.</summary>
    bool CopiesThroughHost { get; }

    /// <summary>Adds up a tensor over all ranks, in place: every rank gets the sum, bit for bit the same.</summary>
    /// <param name="tensor">Contiguous; float32 or float64; on any device.</param>
    /// <exception cref="ArgumentException">The tensor is of another kind.</exception>
    void Sum(Tensor tensor);

    /// <summary>Adds up a vector over all ranks, in place, each <see cref="Shard"/> at its owner alone: what the rest of the vector holds afterwards is undefined.</summary>
    /// <param name="vector">One dimension, contiguous; float32 or float64; on any device.</param>
    void SumShards(Tensor vector);

    /// <summary>Gives every rank the whole of a vector of which each has its own <see cref="Shard"/>, in place.</summary>
    /// <param name="vector">One dimension, contiguous; float32 or float64; on any device.</param>
    void GatherShards(Tensor vector);

    /// <summary>Gives every rank the values that one of them has, in place and bit for bit.</summary>
    /// <param name="tensor">Contiguous; of any type, on any device.</param>
    /// <param name="root">The rank whose values are taken.</param>
    void Broadcast(Tensor tensor, int root = 0);

    /// <summary>Waits until every rank has come here.</summary>
    void Barrier();

    /// <summary>Ends all processes at once, wherever they are. Does not return.</summary>
    /// <param name="message">Why; written to the standard error output.</param>
    void Abort(string message);
}
