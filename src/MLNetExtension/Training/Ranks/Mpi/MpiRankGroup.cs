using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Ranks.Mpi;

/// <summary>The processes that an MPI's launcher has started together. A process without a launcher is a group of one.</summary>
internal sealed class MpiRankGroup : IRankGroup
{
    // Counts are ints, and one piece of 10 million elements takes longer than ten of one million.
    private const int PieceElements = 1 << 20, PieceBytes = 1 << 22;

    // A launcher that is told to end drops what it has not yet read of a rank's output.
    private static readonly TimeSpan TimeToSpeak = TimeSpan.FromMilliseconds(100);

    private static readonly Lazy<MpiRankGroup> Opened = new(() => new MpiRankGroup());

    private readonly object _gate = new();
    private readonly MpiHandles _mpi;
    private readonly MpiGather _calls;
    private nint _reduced;

    private MpiRankGroup()
    {
        (string library, _mpi) = MpiLibrary.Load();
        Check(NativeMpi.InitThread(0, 0, _mpi.Serialized, out int provided));
        Check(NativeMpi.CommRank(_mpi.World, out int rank));
        Check(NativeMpi.CommSize(_mpi.World, out int size));
        (Rank, Size) = (rank, size);
        if (MpiLibrary.FindForeignLauncher(Size, library, _mpi.Mpi) is { } fault)
            throw Refuse(fault);
        if (provided < _mpi.Serialized)
            throw Refuse($"The library {library} ({_mpi.Mpi}) cannot be called from more than one thread.");
        _calls = new MpiGather(_mpi, _mpi.World, Size, Rank);
        MpiProcessEnd.Install(this);

        nint machine = 0;
        Check(NativeMpi.CommSplitType(_mpi.World, _mpi.TypeShared, 0, _mpi.NoInfo, ref machine));
        Check(NativeMpi.CommRank(machine, out int localRank));
        Check(NativeMpi.CommSize(machine, out int localSize));
        (LocalRank, LocalSize) = (localRank, localSize);
        MpiGather masks = new(_mpi, machine, LocalSize, LocalRank);
        Threads = Processors.Threads([.. masks.Run((Processors.Mask, 0)).Select(mask => mask.First)]);
        Description = $"{_mpi.Mpi}, {library}";
    }

    public int Rank { get; }

    public int Size { get; }

    public int LocalRank { get; }

    public int LocalSize { get; }

    public int Threads { get; }

    public bool CopiesThroughHost => true;

    /// <summary>The MPI and its library, for a log.</summary>
    public string Description { get; }

    /// <summary>Opens the group of this process; at every call the same one.</summary>
    /// <exception cref="InvalidOperationException">There is no MPI, or the launcher belongs to another.</exception>
    public static MpiRankGroup Open() => Opened.Value;

    // Reduced to one rank and broadcast: no MPI promises that an allreduce rounds alike on every rank.
    public void Sum(Tensor tensor) => Run(RankCall.Of(RankOperation.Sum, tensor), tensor, memory =>
    {
        foreach (Shard piece in Pieces(new Shard(0, tensor.numel()), PieceElements))
        {
            Reduce(memory, piece, root: 0, TypeOf(tensor));
            Check(NativeMpi.Broadcast(memory.At(piece.Start), (int)piece.Length, TypeOf(tensor), 0, _mpi.World));
        }
    });

    public void SumShards(Tensor vector) => Run(RankCall.Of(RankOperation.SumShards, vector), vector, memory =>
    {
        for (int owner = 0; owner < Size; owner++)
        {
            foreach (Shard piece in Pieces(Shard.Of(vector.numel(), owner, Size), PieceElements))
                Reduce(memory, piece, owner, TypeOf(vector));
        }
    });

    public void GatherShards(Tensor vector) => Run(RankCall.Of(RankOperation.GatherShards, vector), vector, memory =>
    {
        for (int owner = 0; owner < Size; owner++)
        {
            foreach (Shard piece in Pieces(Shard.Of(vector.numel(), owner, Size), PieceElements))
                Check(NativeMpi.Broadcast(memory.At(piece.Start), (int)piece.Length, TypeOf(vector), owner, _mpi.World));
        }
    });

    public void Broadcast(Tensor tensor, int root = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(root);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(root, Size);
        Run(RankCall.Of(RankOperation.Broadcast, tensor, root), tensor, memory =>
        {
            foreach (Shard piece in Pieces(new Shard(0, tensor.numel() * memory.ElementSize), PieceBytes))
                Check(NativeMpi.Broadcast(memory.Address + (nint)piece.Start, (int)piece.Length, _mpi.Byte, root, _mpi.World));
        });
    }

    public void Barrier()
    {
        lock (_gate)
            Meet(new RankCall(RankOperation.Barrier));
    }

    public void Abort(string message) => Abort(message, exitCode: 1);

    /// <summary>Ends all processes at once, with an exit code.</summary>
    /// <param name="message">Why; written to the standard error output.</param>
    /// <param name="exitCode">What the launcher is told; not 0.</param>
    public void Abort(string message, int exitCode)
    {
        Console.Error.WriteLine($"Rank {Rank}: {message}");
        Console.Error.Flush();
        Thread.Sleep(TimeToSpeak);
        NativeMpi.Abort(_mpi.World, exitCode);
        Environment.FailFast(message);
    }

    /// <summary>Ends this process's part, when all others have come to their end too. A call that another makes instead is an error there, and here ends the run.</summary>
    public void Leave()
    {
        // Held: another thread is in a call, which will never come back.
        if (!Monitor.TryEnter(_gate))
            Abort("The process ends while it exchanges values with the others.");
        string? first = null;
        while (RankCall.Difference(CompareCalls(new RankCall(RankOperation.Exit))) is { } difference)
            first ??= difference;
        if (first is not null)
            Abort($"The process has ended too early: {first}");
        NativeMpi.Finish();
    }

    private void Run(RankCall call, Tensor tensor, Action<TensorMemory> exchange)
    {
        lock (_gate)
        {
            Meet(call);
            if (Size == 1)
                return;
            using TensorMemory memory = new(tensor);
            exchange(memory);
        }
    }

    private void Meet(RankCall call)
    {
        if (RankCall.Difference(CompareCalls(call)) is { } difference)
            throw new UnequalCallsException(difference);
    }

    private RankCall[] CompareCalls(RankCall call) => [.. _calls.Run(call.Code).Select(RankCall.Parse)];

    private void Reduce(TensorMemory memory, Shard piece, int root, nint type)
    {
        nint at = memory.At(piece.Start);
        (nint send, nint receive) = Rank == root ? (CopyForReduce(at, piece.Length * memory.ElementSize), at) : (at, 0);
        Check(NativeMpi.Reduce(send, receive, (int)piece.Length, type, _mpi.Sum, root, _mpi.World));
    }

    // In place where that is safe: MPICH 4.0.2 reads from MPI_IN_PLACE, and dies of it, where another rank than the first is the root.
    private unsafe nint CopyForReduce(nint at, long bytes)
    {
        if (Rank == 0)
            return _mpi.InPlace;
        if (_reduced == 0)
            _reduced = (nint)NativeMemory.Alloc(PieceElements * sizeof(double));
        Buffer.MemoryCopy((void*)at, (void*)_reduced, bytes, bytes);
        return _reduced;
    }

    // Every rank finds the same fault; the process goes on as it likes, and there is no group whose end it would have to tell.
    private static InvalidOperationException Refuse(string fault)
    {
        NativeMpi.Finish();
        return new InvalidOperationException(fault);
    }

    private nint TypeOf(Tensor tensor) => tensor.dtype == ScalarType.Float64 ? _mpi.Double : _mpi.Float;

    private static IEnumerable<Shard> Pieces(Shard whole, int most)
    {
        for (long done = 0; done < whole.Length; done += most)
            yield return new Shard(whole.Start + done, Math.Min(most, whole.Length - done));
    }

    private static void Check(int error, [CallerArgumentExpression(nameof(error))] string call = "")
    {
        if (error != 0)
            throw new InvalidOperationException($"MPI failed with error {error} in {call}.");
    }
}
