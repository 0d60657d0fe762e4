using MLNetExtension.Data;
using static TorchSharp.torch;

namespace MLNetExtension.Models;

/// <summary>Consecutive rows of nearly the same length, to be computed together. n rows, L positions of the longest, P positions of all rows.</summary>
/// <param name="Start">The first position of the first row.</param>
/// <param name="Lengths">Lengths of the rows.</param>
internal sealed record RowGroup(long Start, IReadOnlyList<long> Lengths)
{
    // The kernel of a longer row is long enough by itself, and joining would cost a copy.
    private const long LongestJoined = 128;
    private const long MostPositions = 512;
    private const double LeastFilled = 0.75;

    /// <summary>L.</summary>
    public long Length { get; } = Lengths.Max();

    /// <summary>Whether some rows are shorter than others.</summary>
    public bool IsRagged { get; } = Lengths.Any(length => length != Lengths[0]);

    /// <summary>Groups rows that follow one another.</summary>
    /// <param name="lengths">Lengths of all rows, in their order.</param>
    public static IEnumerable<RowGroup> Join(IEnumerable<long> lengths) => Join(lengths, mostPositions: MostPositions, LongestJoined);

    /// <summary>Groups rows that follow one another and are alike, however many and however long they are.</summary>
    /// <param name="lengths">Lengths of all rows, in their order.</param>
    public static IEnumerable<RowGroup> JoinAlike(IEnumerable<long> lengths) => Join(lengths, long.MaxValue, long.MaxValue);

    private static IEnumerable<RowGroup> Join(IEnumerable<long> lengths, long mostPositions, long longestJoined)
    {
        long start = 0;
        List<long> joined = [];
        foreach (long length in lengths)
        {
            if (joined.Count > 0 && !Fits(joined, length, mostPositions, longestJoined))
            {
                yield return new RowGroup(start, [.. joined]);
                start += joined.Sum();
                joined.Clear();
            }
            joined.Add(length);
        }
        if (joined.Count > 0)
            yield return new RowGroup(start, [.. joined]);
    }

    /// <summary>Lays the rows side by side, [P,...] to [n,L,...]: a view where nothing has to change, else padded with zeros.</summary>
    /// <param name="positions">Positions of all rows.</param>
    public Tensor Gather(Tensor positions)
    {
        long[] inner = positions.shape[1..];
        if (!IsRagged)
            return positions.narrow(0, Start, Lengths.Count * Length).view([Lengths.Count, Length, .. inner]);
        Tensor rows = zeros([Lengths.Count, Length, .. inner], dtype: positions.dtype, device: positions.device);
        ForEachRow(positions, rows, (from, to) => to.copy_(from));
        return rows;
    }

    /// <summary>Writes the rows back to their positions, [n,L,...] to [P,...].</summary>
    /// <param name="rows">The rows, whose padding is left out.</param>
    /// <param name="positions">Positions of all rows.</param>
    public void Scatter(Tensor rows, Tensor positions) => ForEachRow(positions, rows, (to, from) => to.copy_(from));

    /// <summary>Applies a causal function to the rows side by side, so that automatic differentiation can follow.</summary>
    /// <param name="packed">Positions of all rows, [1,P,...] each.</param>
    /// <param name="function">From [n,L,...] each to [n,L,...].</param>
    /// <returns>[1,p,...], of the p positions of these rows.</returns>
    public Tensor Apply(Tensor[] packed, Func<Tensor[], Tensor> function)
    {
        if (!IsRagged)
            return function([.. packed.Select(positions => Gather(positions[0]))]).flatten(0, 1).unsqueeze(0);
        (long[] real, long[] padded) = NumberPositions();
        Tensor from = packed[0].device.Upload(padded), back = packed[0].device.Upload(real);
        Tensor result = function([.. packed.Select(positions => positions[0].index_select(0, from).view([Lengths.Count, Length, .. positions.shape[2..]]))]);
        return result.flatten(0, 1).index_select(0, back).unsqueeze(0);
    }

    // Where the positions of the rows are among those of rows side by side, [p]; and where the latter come from among all positions, [n L]: padding repeats its row's last, so that no other position has to
    // add up the gradients of all padding, which are 0.
    private (long[] Real, long[] Padded) NumberPositions()
    {
        List<long> real = [], padded = [];
        long start = Start;
        for (int i = 0; i < Lengths.Count; i++)
        {
            for (long t = 0; t < Length; t++)
                padded.Add(start + Math.Min(t, Lengths[i] - 1));
            for (long t = 0; t < Lengths[i]; t++)
                real.Add(i * Length + t);
            start += Lengths[i];
        }
        return ([.. real], [.. padded]);
    }

    private void ForEachRow(Tensor positions, Tensor rows, Action<Tensor, Tensor> action)
    {
        using var scope = NewDisposeScope();
        long start = Start;
        for (int i = 0; i < Lengths.Count; i++)
        {
            action(positions.narrow(0, start, Lengths[i]), rows.select(0, i).narrow(0, 0, Lengths[i]));
            start += Lengths[i];
        }
    }

    private static bool Fits(List<long> joined, long length, long mostPositions, long longestJoined)
    {
        long longest = Math.Max(joined.Max(), length);
        return longest <= longestJoined && longest * (joined.Count + 1) <= mostPositions && Math.Min(joined.Min(), length) >= longest * LeastFilled;
    }
}
