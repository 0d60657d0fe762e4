using System.Reflection;
using System.Runtime.CompilerServices;
using MLNetExtension.Tests.Documentation;
using MLNetExtension.Training.Ranks;
using MLNetExtension.Training.Ranks.Mpi;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Ranks;

/// <summary>What a rank that <see cref="MpiRun"/> has started does.</summary>
internal static class RankPrograms
{
    /// <summary>Checks every exchange; see <see cref="CheckExchanges"/>.</summary>
    public const string Exchanges = "exchanges";

    /// <summary>Ends the second rank in the way that the argument says, while the others wait for it.</summary>
    public const string End = "end";

    /// <summary>Runs the compiled program of a documentation page, whose file is the first argument.</summary>
    public const string Documented = "documented";

    /// <summary>Says where this rank stands.</summary>
    public const string Place = "place";

    /// <summary>Opens MPI, catches what that throws, says it and ends with exit code 5.</summary>
    public const string Refused = "refused";

    /// <summary><see cref="RankedTraining.Run"/>.</summary>
    public const string Training = "training";

    // Odd, fewer than ranks, and of more than one piece.
    private static readonly long[] Lengths = [0, 1, 3, 1001, (1 << 20) + 7];

    /// <summary>Runs a program.</summary>
    /// <returns>Its exit code.</returns>
    public static int Run(string program, string[] arguments) => program switch
    {
        Exchanges => CheckExchanges(MpiRankGroup.Open()),
        End => EndSecond(MpiRankGroup.Open(), arguments[0]),
        Documented => RunDocumented(arguments[0], arguments[1..]),
        Place => SayPlace(MpiRankGroup.Open()),
        Refused => SayWhyRefused(),
        Training => RankedTraining.Run(arguments),
        _ => throw new ArgumentException($"There is no program '{program}' for ranks.", nameof(program)),
    };

    private static int SayWhyRefused()
    {
        Console.WriteLine(Assert.ThrowsExactly<InvalidOperationException>(MpiRankGroup.Open).Message);
        return 5;
    }

    private static int CheckExchanges(IRankGroup ranks)
    {
        foreach (ScalarType type in (ScalarType[])[ScalarType.Float32, ScalarType.Float64])
        {
            foreach (long length in Lengths)
                CheckSums(ranks, length, type);
        }
        foreach (ScalarType type in (ScalarType[])[ScalarType.BFloat16, ScalarType.Bool, ScalarType.Int64, ScalarType.Float32])
            CheckBroadcast(ranks, type);
        CheckErrors(ranks);
        CheckNullReference();
        ranks.Barrier();
        MpiRun.Say(ranks, "All exchanges are right.");
        return 0;
    }

    // Values that no sum rounds: whole numbers.
    private static void CheckSums(IRankGroup ranks, long length, ScalarType type)
    {
        using IDisposable scope = NewDisposeScope();
        Tensor Mine(int rank) => (((arange(length, ScalarType.Int64) * 7) + (rank * 13)) % 1009).to(type);
        Tensor expected = Enumerable.Range(0, ranks.Size).Select(Mine).Aggregate((a, b) => a + b);
        Shard shard = Shard.Of(length, ranks.Rank, ranks.Size);

        Tensor sum = Mine(ranks.Rank), pieces = Mine(ranks.Rank);
        ranks.Sum(sum);
        Assert.IsTrue(sum.Equals(expected), $"sum of {length} {type}");
        ranks.SumShards(pieces);
        Assert.IsTrue(pieces.narrow(0, shard.Start, shard.Length).Equals(expected.narrow(0, shard.Start, shard.Length)), $"sum of the shards of {length} {type}");
        pieces.narrow(0, 0, shard.Start).fill_(double.NaN);
        pieces.narrow(0, shard.Start + shard.Length, length - shard.Start - shard.Length).fill_(double.NaN);
        ranks.GatherShards(pieces);
        Assert.IsTrue(pieces.Equals(expected), $"gathered shards of {length} {type}");

        // Values that sums round: close to the sum in float64, and the same bits everywhere.
        Tensor Rounded(int rank) => sin(arange(length, ScalarType.Float64) + (1000 * rank)).to(type);
        Tensor exact = Enumerable.Range(0, ranks.Size).Select(rank => Rounded(rank).to(ScalarType.Float64)).Aggregate((a, b) => a + b);
        Tensor rounded = Rounded(ranks.Rank);
        ranks.Sum(rounded);
        Assert.IsTrue(allclose(rounded.to(ScalarType.Float64), exact, 0, type == ScalarType.Float32 ? 1e-6 : 1e-14), $"rounded sum of {length} {type}");
        Tensor first = rounded.clone();
        ranks.Broadcast(first);
        Assert.IsTrue(rounded.bytes.SequenceEqual(first.bytes), $"the bits of a sum of {length} {type} differ from rank to rank");
    }

    private static void CheckBroadcast(IRankGroup ranks, ScalarType type)
    {
        for (int root = 0; root < ranks.Size; root++)
        {
            using IDisposable scope = NewDisposeScope();
            // One of them in more than one piece.
            long length = type == ScalarType.Int64 && root == ranks.Size - 1 ? (1 << 19) + 5 : 1001;
            Tensor Of(int rank) => (arange(length, ScalarType.Int64) % (rank + 2)).to(type).view(1, -1);
            Tensor tensor = Of(ranks.Rank);
            ranks.Broadcast(tensor, root);
            Assert.IsTrue(tensor.Equals(Of(root)), $"broadcast of {type} from rank {root}");
        }
    }

    private static void CheckErrors(IRankGroup ranks)
    {
        using IDisposable scope = NewDisposeScope();
        Assert.ThrowsExactly<ArgumentException>(() => ranks.Sum(zeros(3, ScalarType.Int64)));
        Assert.ThrowsExactly<ArgumentException>(() => ranks.Sum(zeros(3, 4).t()));
        if (ranks.Size == 1)
            return;
        Tensor tensor = ones(ranks.Rank == 1 ? 100 : 200);
        UnequalCallsException unequal = Assert.ThrowsExactly<UnequalCallsException>(() =>
        {
            if (ranks.Rank == 1)
                ranks.Broadcast(tensor);
            else
                ranks.Sum(tensor);
        });
        MpiRun.Say(ranks, unequal.Message);
        // An error takes nothing from the next call.
        Tensor one = ones(3);
        ranks.Sum(one);
        Assert.AreEqual(ranks.Size, one[2].item<float>());
    }

    private static void CheckNullReference()
    {
        for (int i = 0; i < 3; i++)
            Assert.ThrowsExactly<NullReferenceException>(() => LengthOf(null!));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int LengthOf(int[] array) => array.Length;

    private static int EndSecond(IRankGroup ranks, string how)
    {
        MpiRun.Say(ranks, $"{Environment.ProcessId}");
        using Tensor tensor = ones(10);
        ranks.Sum(tensor);
        if (ranks.Size > 1 && ranks.Rank != 1)
            return SumUntilError(ranks, tensor, isSeen: !how.EndsWith("unseen", StringComparison.Ordinal));
        return how switch
        {
            "throw" => throw new InvalidOperationException("This rank has failed."),
            "return 3" => 3,
            "return 0" => 0,
            "exit 0 unseen" => Exit(0),
            "exit 3" => Exit(3),
            "kill" => Kill(),
            "abort" => Abort(ranks),
            _ => throw new ArgumentException($"No way to end: {how}.", nameof(how)),
        };
    }

    // Unseen: a program that catches every error, and says that all is well.
    private static int SumUntilError(IRankGroup ranks, Tensor tensor, bool isSeen)
    {
        try
        {
            while (true)
                ranks.Sum(tensor);
        }
        catch (InvalidOperationException) when (!isSeen)
        {
            return 0;
        }
    }

    private static int Exit(int code)
    {
        Environment.Exit(code);
        return 0;
    }

    private static int Kill()
    {
        System.Diagnostics.Process.GetCurrentProcess().Kill();
        return 0;
    }

    private static int Abort(IRankGroup ranks)
    {
        ranks.Abort("given up");
        return 0;
    }

    private static int RunDocumented(string program, string[] arguments)
    {
        MpiRun.Say(MpiRankGroup.Open(), ProgramRun.Run(Assembly.Load(File.ReadAllBytes(program)), arguments));
        return 0;
    }

    private static int SayPlace(MpiRankGroup ranks)
    {
        MpiRun.Say(ranks, $"rank {ranks.Rank} of {ranks.Size}, {ranks.LocalRank} of {ranks.LocalSize} on this machine, {ranks.Threads} threads, {ranks.Description}");
        return 0;
    }
}
