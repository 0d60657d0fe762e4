using static TorchSharp.torch;

namespace MLNetExtension.Models;

/// <summary>
/// How rows lie in the positions that pass through a model together: side by side and padded, [B,T], or packed one after
/// another into a single sequence, [1,T], where attention stays within each row and positions start anew with it.
/// </summary>
public sealed class SequenceLayout
{
    private readonly long[]? _packed;
    private readonly IReadOnlyList<int>? _padded;

    private SequenceLayout(long[]? packed, IReadOnlyList<int>? padded) => (_packed, _padded) = (packed, padded);

    /// <summary>Rows side by side, every position of which is taken for real.</summary>
    public static SequenceLayout Full { get; } = new(null, null);

    /// <summary>Rows side by side, padded at their right end to the longest of them.</summary>
    /// <param name="rowLengths">Their lengths, in their order.</param>
    public static SequenceLayout Padded(IReadOnlyList<int> rowLengths) => new(null, rowLengths);

    /// <summary>Rows packed one after another.</summary>
    /// <param name="rowLengths">Their lengths, in their order.</param>
    public static SequenceLayout Packed(IReadOnlyList<int> rowLengths) => new([.. rowLengths.Select(length => (long)length)], null);

    /// <summary>Applies a function to each packed row by itself and joins what it gives; rows that lie side by side are handled in one call.</summary>
    /// <param name="input">[B,T,...] or, packed, [1,T,...].</param>
    /// <param name="function">From [B,t,...] to [B,t,...], where no row may reach into another.</param>
    public Tensor PerRow(Tensor input, Func<Tensor, Tensor> function) =>
        _packed is null or { Length: 1 } ? function(input) : cat([.. input.split(_packed, 1).Select(function)], 1);

    /// <summary>Gives each position its embedding, counted from the start of its row.</summary>
    /// <param name="table">Embeddings of positions, [longest,C].</param>
    /// <param name="length">T, where rows lie side by side.</param>
    /// <returns>[T,C].</returns>
    public Tensor Positions(Tensor table, long length) =>
        _packed is null ? table.narrow(0, 0, length) : cat([.. _packed.Select(row => table.narrow(0, 0, row))], 0);

    /// <summary>Tells where real tokens are in the flattened positions.</summary>
    /// <param name="device">Where they are asked for.</param>
    /// <returns>[n] int64, in the caller's dispose scope; null where no position is padding.</returns>
    public Tensor? RealPositions(Device device)
    {
        if (_padded is null || _padded.All(length => length == _padded.Max()))
            return null;
        int longest = _padded.Max();
        return tensor([.. _padded.SelectMany((length, b) => Enumerable.Range(b * longest, length).Select(position => (long)position))], device: device);
    }
}
