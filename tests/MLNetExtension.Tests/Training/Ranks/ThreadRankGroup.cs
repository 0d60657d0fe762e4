using MLNetExtension.Training.Ranks;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Ranks;

/// <summary>Ranks that are threads of this process. Sums are taken in the order of the ranks, so they are the same in every run; unequal calls are errors, as with MPI; and nobody waits for a rank that has left.</summary>
internal sealed class ThreadRankGroup : IRankGroup, IDisposable
{
    private readonly Meeting _meeting;

    private ThreadRankGroup(Meeting meeting, int rank) => (_meeting, Rank) = (meeting, rank);

    public int Rank { get; }

    public int Size => _meeting.Size;

    public int LocalRank => Rank;

    public int LocalSize => Size;

    public int Threads => 1;

    public bool CopiesThroughHost => false;

    /// <summary>What was called, one entry for each time that all ranks met.</summary>
    public IReadOnlyList<RankCall> Calls => _meeting.Calls;

    /// <summary>Makes the ranks of one group; each is to be used on a thread of its own, and disposed of there.</summary>
    public static IReadOnlyList<ThreadRankGroup> Create(int size)
    {
        Meeting meeting = new(size);
        return [.. Enumerable.Range(0, size).Select(rank => new ThreadRankGroup(meeting, rank))];
    }

    /// <summary>Runs something on each of a number of ranks.</summary>
    /// <param name="size">How many ranks.</param>
    /// <param name="body">What a rank does; what it throws ends that rank.</param>
    /// <returns>What each returned.</returns>
    /// <exception cref="AggregateException">What ranks threw, in the order of the ranks.</exception>
    public static T[] Run<T>(int size, Func<ThreadRankGroup, T> body)
    {
        T[] results = new T[size];
        Exception?[] thrown = new Exception?[size];
        Thread[] threads = [.. Create(size).Select(group => new Thread(() =>
        {
            using (group)
            {
                try
                {
                    results[group.Rank] = body(group);
                }
                catch (Exception e)
                {
                    thrown[group.Rank] = e;
                }
            }
        }))];
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();
        return thrown.All(e => e is null) ? results : throw new AggregateException(thrown.OfType<Exception>());
    }

    /// <summary>Runs something on each of a number of ranks.</summary>
    public static void Run(int size, Action<ThreadRankGroup> body) => Run(size, group =>
    {
        body(group);
        return true;
    });

    public void Sum(Tensor tensor) => Meet(RankCall.Of(RankOperation.Sum, tensor), tensor, SumAll);

    public void SumShards(Tensor vector) => Meet(RankCall.Of(RankOperation.SumShards, vector), vector, SumOwned);

    public void GatherShards(Tensor vector) => Meet(RankCall.Of(RankOperation.GatherShards, vector), vector, GatherOwned);

    public void Broadcast(Tensor tensor, int root = 0) => Meet(RankCall.Of(RankOperation.Broadcast, tensor, root), tensor, tensors => CopyToAll(tensors[root], tensors));

    public void Barrier() => _meeting.Meet(Rank, new RankCall(RankOperation.Barrier), null, _ => { });

    public void Abort(string message) => throw _meeting.Abort($"Rank {Rank} aborted: {message}");

    /// <summary>Leaves: whoever calls from now on is told.</summary>
    public void Dispose() => _meeting.Leave(Rank);

    private void Meet(RankCall call, Tensor tensor, Action<Tensor[]> combine) => _meeting.Meet(Rank, call, tensor, combine);

    private static void SumAll(Tensor[] tensors)
    {
        Tensor sum = tensors[0].clone();
        foreach (Tensor tensor in tensors[1..])
            sum.add_(tensor);
        CopyToAll(sum, tensors);
    }

    // What a rank does not own is undefined: not a number, so that nobody relies on it.
    private static void SumOwned(Tensor[] vectors)
    {
        Tensor sum = vectors[0].clone();
        foreach (Tensor vector in vectors[1..])
            sum.add_(vector);
        for (int rank = 0; rank < vectors.Length; rank++)
        {
            vectors[rank].fill_(double.NaN);
            Owned(vectors[rank], rank, vectors.Length).copy_(Owned(sum, rank, vectors.Length));
        }
    }

    private static void GatherOwned(Tensor[] vectors)
    {
        Tensor whole = vectors[0].clone();
        for (int rank = 0; rank < vectors.Length; rank++)
            Owned(whole, rank, vectors.Length).copy_(Owned(vectors[rank], rank, vectors.Length));
        CopyToAll(whole, vectors);
    }

    private static Tensor Owned(Tensor vector, int rank, int size)
    {
        Shard shard = Shard.Of(vector.numel(), rank, size);
        return vector.narrow(0, shard.Start, shard.Length);
    }

    private static void CopyToAll(Tensor from, Tensor[] tensors)
    {
        foreach (Tensor tensor in tensors.Where(tensor => !ReferenceEquals(tensor, from)))
            tensor.copy_(from);
    }

    /// <summary>Where the ranks meet: whoever comes last does the work for all.</summary>
    private sealed class Meeting(int size)
    {
        private readonly object _gate = new();
        private readonly RankCall?[] _here = new RankCall?[size];
        private readonly Tensor[] _tensors = new Tensor[size];
        private readonly bool[] _left = new bool[size];
        private readonly List<RankCall> _calls = [];
        private int _round;
        private string? _aborted;
        private Func<Exception>? _failure;

        public int Size => size;

        public IReadOnlyList<RankCall> Calls
        {
            get
            {
                lock (_gate)
                    return [.. _calls];
            }
        }

        public void Meet(int rank, RankCall call, Tensor? tensor, Action<Tensor[]> combine)
        {
            lock (_gate)
            {
                ObjectDisposedException.ThrowIf(_left[rank], typeof(ThreadRankGroup));
                if (_aborted is not null)
                    throw new InvalidOperationException(_aborted);
                (_here[rank], _tensors[rank]) = (call, tensor!);
                int round = _round;
                if (_here.All(other => other is not null))
                    Complete(combine);
                while (_round == round)
                    Monitor.Wait(_gate);
                if (_failure is not null)
                    throw _failure();
            }
        }

        public void Leave(int rank)
        {
            lock (_gate)
            {
                _left[rank] = true;
                _here[rank] ??= new RankCall(RankOperation.Exit);
                if (_here.All(call => call is not null) && !_left.All(left => left))
                    Complete(null);
            }
        }

        public InvalidOperationException Abort(string message)
        {
            lock (_gate)
            {
                _aborted = message;
                _failure = () => new InvalidOperationException(message);
                EndRound();
                return new InvalidOperationException(message);
            }
        }

        private void Complete(Action<Tensor[]>? combine)
        {
            RankCall[] calls = [.. _here.Select(call => call!.Value)];
            _failure = RankCall.Difference(calls) is { } difference ? () => new UnequalCallsException(difference) : null;
            if (_failure is null)
            {
                _calls.Add(calls[0]);
                try
                {
                    using IDisposable scope = NewDisposeScope();
                    using IDisposable plain = no_grad();
                    combine!(_tensors);
                }
                catch (Exception e)
                {
                    _failure = () => new InvalidOperationException("The ranks' work failed.", e);
                }
            }
            EndRound();
        }

        // A failure is read by all who waited before the next round can end: none of them is back before.
        private void EndRound()
        {
            for (int rank = 0; rank < size; rank++)
                _here[rank] = _left[rank] ? new RankCall(RankOperation.Exit) : null;
            _round++;
            Monitor.PulseAll(_gate);
        }
    }
}
