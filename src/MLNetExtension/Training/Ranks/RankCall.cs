using System.Globalization;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Ranks;

/// <summary>What a rank may do together with the others.</summary>
internal enum RankOperation
{
    /// <summary>Nothing any more: its process ends.</summary>
    Exit,

    /// <summary><see cref="IRankGroup.Barrier"/>.</summary>
    Barrier,

    /// <summary><see cref="IRankGroup.Sum"/>.</summary>
    Sum,

    /// <summary><see cref="IRankGroup.SumShards"/>.</summary>
    SumShards,

    /// <summary><see cref="IRankGroup.GatherShards"/>.</summary>
    GatherShards,

    /// <summary><see cref="IRankGroup.Broadcast"/>.</summary>
    Broadcast,
}

/// <summary>A call that a rank makes. Ranks compare theirs before anything travels, because an MPI lets unequal calls pass, wait for ever, or write past the end of a tensor.</summary>
/// <param name="Operation">What the rank does.</param>
/// <param name="Elements">How many elements its tensor has; 0 where the call has none.</param>
/// <param name="Type">The type of the elements.</param>
/// <param name="Root">The rank that a broadcast comes from.</param>
internal readonly record struct RankCall(RankOperation Operation, long Elements = 0, ScalarType Type = default, int Root = 0)
{
    /// <summary>Two numbers that say it all: how many elements there are, and what is done with them.</summary>
    public (long Elements, long What) Code => (Elements, ((long)Root << 32) | ((long)(byte)Type << 8) | (byte)Operation);

    /// <summary>Makes the call for a tensor.</summary>
    /// <exception cref="ArgumentException">The tensor does not lie in one piece, or is to be summed and is neither float32 nor float64.</exception>
    public static RankCall Of(RankOperation operation, Tensor tensor, int root = 0)
    {
        if (!tensor.is_contiguous())
            throw new ArgumentException("The tensor must be contiguous.", nameof(tensor));
        if (operation != RankOperation.Broadcast && tensor.dtype is not (ScalarType.Float32 or ScalarType.Float64))
            throw new ArgumentException($"The tensor must be float32 or float64; it is {NameOf(tensor.dtype)}.", nameof(tensor));
        return new RankCall(operation, tensor.numel(), tensor.dtype, root);
    }

    /// <summary>Reads back what <see cref="Code"/> gave.</summary>
    public static RankCall Parse((long Elements, long What) code) => new((RankOperation)(byte)code.What, code.Elements, (ScalarType)(sbyte)(byte)(code.What >> 8), (int)(code.What >> 32));

    /// <summary>Says how the calls of the ranks differ.</summary>
    /// <param name="calls">The call of each rank.</param>
    /// <returns>Null where they are the same.</returns>
    public static string? Difference(IReadOnlyList<RankCall> calls)
    {
        if (calls.All(call => call == calls[0]))
            return null;
        IEnumerable<string> said = Enumerable.Range(0, calls.Count).GroupBy(rank => calls[rank]).Select(ranks => Describe([.. ranks], ranks.Key));
        return $"{string.Join(", while ", said)}: every rank must make the same calls, in the same order.";
    }

    private static string Describe(int[] ranks, RankCall call)
    {
        string s = ranks.Length == 1 ? "s" : "";
        string who = ranks.Length == 1 ? $"rank {ranks[0]}" : $"ranks {string.Join(", ", ranks[..^1])} and {ranks[^1]}";
        string what = string.Create(CultureInfo.InvariantCulture, $"{call.Elements} elements of {NameOf(call.Type)}");
        return call.Operation switch
        {
            RankOperation.Exit => $"{who} end{s}",
            RankOperation.Barrier => $"{who} wait{s} for all",
            RankOperation.Sum => $"{who} sum{s} {what}",
            RankOperation.SumShards => $"{who} sum{s} the shards of {what}",
            RankOperation.GatherShards => $"{who} gather{s} the shards of {what}",
            _ => $"{who} broadcast{s} {what} from rank {call.Root}",
        };
    }

    private static string NameOf(ScalarType type) => type.ToString().ToLowerInvariant();
}
