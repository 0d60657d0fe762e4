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
    public static IEnumerable<RowGroup> Join(IEnumerable<long> lengths)
    {
        long start = 0;
        List<long> joined = [];
        foreach (long length in lengths)
        {
            if (joined.Count > 0 && !Fits(joined, length))
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

    private static bool Fits(List<long> joined, long length)
    {
        long longest = Math.Max(joined.Max(), length);
        return longest <= LongestJoined && longest * (joined.Count + 1) <= MostPositions && Math.Min(joined.Min(), length) >= longest * LeastFilled;
    }
}
