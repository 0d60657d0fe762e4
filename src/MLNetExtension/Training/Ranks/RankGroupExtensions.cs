using System.Runtime.ExceptionServices;
using System.Text;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Ranks;

/// <summary>What is made of the calls of <see cref="IRankGroup"/>: collective, as they are.</summary>
internal static class RankGroupExtensions
{
    // What a rank says of its part of a work; the largest number wins.
    private const double Done = 0, Cancelled = 1, Failed = 2;

    /// <summary>Adds up numbers over all ranks.</summary>
    /// <param name="ranks">The ranks.</param>
    /// <param name="own">This rank's, as many on each.</param>
    /// <returns>The sums, the same on every rank bit for bit.</returns>
    public static double[] SumNumbers(this IRankGroup ranks, params double[] own)
    {
        using var scope = NewDisposeScope();
        Tensor sums = tensor(own, dtype: float64);
        ranks.Sum(sums);
        return sums.data<double>().ToArray();
    }

    /// <summary>Tells every rank the numbers of each.</summary>
    /// <param name="ranks">The ranks.</param>
    /// <param name="own">This rank's, as many on each.</param>
    /// <returns>The numbers by rank.</returns>
    public static double[][] Gather(this IRankGroup ranks, params double[] own)
    {
        double[] all = new double[ranks.Size * own.Length];
        own.CopyTo(all, ranks.Rank * own.Length);
        return [.. ranks.SumNumbers(all).Chunk(own.Length)];
    }

    /// <summary>Tells every rank the text of one of them.</summary>
    /// <param name="ranks">The ranks.</param>
    /// <param name="text">The text; counts on the root alone.</param>
    /// <param name="root">The rank whose text it is.</param>
    public static string Broadcast(this IRankGroup ranks, string text, int root = 0)
    {
        if (ranks.Size == 1)
            return text;
        using var scope = NewDisposeScope();
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Tensor length = tensor(bytes.LongLength);
        ranks.Broadcast(length, root);
        Tensor content = ranks.Rank == root ? tensor(bytes) : zeros(length.item<long>(), dtype: uint8);
        ranks.Broadcast(content, root);
        return Encoding.UTF8.GetString(content.data<byte>().ToArray());
    }

    /// <summary>Finds this rank's own <see cref="Shard"/> of a vector.</summary>
    /// <param name="ranks">The ranks.</param>
    /// <param name="vector">One dimension.</param>
    /// <returns>A view of the vector.</returns>
    public static Tensor OwnShard(this IRankGroup ranks, Tensor vector)
    {
        Shard shard = Shard.Of(vector.numel(), ranks.Rank, ranks.Size);
        return vector.narrow(0, shard.Start, shard.Length);
    }

    /// <summary>Gives the first rank the whole of a vector of which each rank has its own <see cref="Shard"/>.</summary>
    /// <param name="ranks">The ranks.</param>
    /// <param name="shard">This rank's shard.</param>
    /// <param name="whole">Receives the vector, [length] on the CPU; counts on the first rank alone.</param>
    /// <param name="length">Elements of the whole.</param>
    public static void GatherToFirst(this IRankGroup ranks, Tensor shard, Tensor? whole, long length) => ranks.MoveShards(shard, whole, length, toFirst: true);

    /// <summary>Gives each rank its own <see cref="Shard"/> of a vector that the first rank has.</summary>
    /// <param name="ranks">The ranks.</param>
    /// <param name="whole">The vector, [length] on the CPU; counts on the first rank alone.</param>
    /// <param name="shard">Receives this rank's shard.</param>
    /// <param name="length">Elements of the whole.</param>
    public static void ScatterFromFirst(this IRankGroup ranks, Tensor? whole, Tensor shard, long length) => ranks.MoveShards(shard, whole, length, toFirst: false);

    /// <summary>Does this rank's part of a work that makes no collective call, and waits until all ranks have done theirs. Where one has failed or was cancelled, every rank throws.</summary>
    /// <param name="ranks">The ranks.</param>
    /// <param name="work">This rank's part.</param>
    /// <exception cref="OperationCanceledException">A rank was cancelled.</exception>
    /// <exception cref="InvalidOperationException">Another rank has failed; the message names it and has its message. A rank that fails itself throws its own exception.</exception>
    public static void RunTogether(this IRankGroup ranks, Action work)
    {
        if (ranks.Size == 1)
        {
            work();
            return;
        }
        Exception? own = Catch(work);
        // The others have thrown the same, and none is waiting.
        if (own is UnequalCallsException)
            ExceptionDispatchInfo.Throw(own);
        try
        {
            ranks.Agree(own);
        }
        // Where the others do not wait for this rank's part, they learn by this that it has failed.
        catch (UnequalCallsException) when (own is not null)
        {
        }
        if (own is not null)
            ExceptionDispatchInfo.Throw(own);
    }

    /// <summary>Throws where the values of a vector are not the same on all ranks.</summary>
    /// <param name="ranks">The ranks.</param>
    /// <param name="vector">The vector.</param>
    /// <param name="what">What it is, as in "the weights after step 3".</param>
    /// <exception cref="InvalidOperationException">They differ; every rank throws, and the message names a rank.</exception>
    public static void RequireSame(this IRankGroup ranks, Tensor vector, string what)
    {
        if (ranks.Size == 1)
            return;
        double[][] hashes = ranks.Gather(TensorHash.Compute(vector));
        int other = Array.FindIndex(hashes, hash => !hash.SequenceEqual(hashes[0]));
        if (other >= 0)
            throw new InvalidOperationException($"{what} differ between rank 0 and rank {other} of {ranks.Size}: the ranks no longer train the same model.");
    }

    private static void Agree(this IRankGroup ranks, Exception? own)
    {
        double[][] states = ranks.Gather(own switch { null => Done, OperationCanceledException => Cancelled, _ => Failed });
        double worst = states.Max(state => state[0]);
        if (worst == Done)
            return;
        int root = Array.FindIndex(states, state => state[0] == worst);
        string message = ranks.Broadcast(own?.Message ?? "", root);
        if (own is null)
            throw worst == Cancelled ? new OperationCanceledException(message) : new InvalidOperationException($"Rank {root} of {ranks.Size} failed: {message}");
    }

    private static Exception? Catch(Action work)
    {
        try
        {
            work();
            return null;
        }
        catch (Exception exception)
        {
            return exception;
        }
    }

    // In pieces, so that a rank that only passes them on needs the memory of one.
    private static void MoveShards(this IRankGroup ranks, Tensor shard, Tensor? whole, long length, bool toFirst)
    {
        const long PieceLength = 1 << 20;
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        Tensor piece = empty(Math.Min(PieceLength, length), dtype: shard.dtype);
        for (int owner = 0; owner < ranks.Size; owner++)
        {
            Shard owned = Shard.Of(length, owner, ranks.Size);
            for (long start = 0; start < owned.Length; start += PieceLength)
            {
                using var one = NewDisposeScope();
                long size = Math.Min(PieceLength, owned.Length - start);
                Tensor passed = piece.narrow(0, 0, size);
                Tensor? own = owner == ranks.Rank ? shard.narrow(0, start, size) : null, first = ranks.Rank == 0 ? whole!.narrow(0, owned.Start + start, size) : null;
                if ((toFirst ? own : first) is { } source)
                    passed.copy_(source);
                ranks.Broadcast(passed, toFirst ? owner : 0);
                (toFirst ? first : own)?.copy_(passed);
            }
        }
    }
}
