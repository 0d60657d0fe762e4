using static TorchSharp.torch;

namespace MLNetExtension.Models;

/// <summary>
/// How rows lie in the positions that pass through a model together: side by side and padded, [B,T], or packed one after
/// another into a single sequence, [1,T], where attention stays within each row and positions start anew with it; or going on from positions that a cache holds.
/// </summary>
internal sealed class SequenceLayout
{
    private readonly long[]? _packed;
    private readonly IReadOnlyList<int>? _padded;

    private SequenceLayout(long[]? packed, IReadOnlyList<int>? padded, KeyValueCache? cache = null) => (_packed, _padded, Cache) = (packed, padded, cache);

    /// <summary>Rows side by side, every position of which is taken for real.</summary>
    public static SequenceLayout Full { get; } = new(null, null);

    /// <summary>What rows attend to besides the positions that pass through the model now; null where there is nothing.</summary>
    public KeyValueCache? Cache { get; }

    /// <summary>Rows side by side, padded at their right end to the longest of them.</summary>
    /// <param name="rowLengths">Their lengths, in their order.</param>
    public static SequenceLayout Padded(IReadOnlyList<int> rowLengths) => new(null, rowLengths);

    /// <summary>Rows packed one after another.</summary>
    /// <param name="rowLengths">Their lengths, in their order.</param>
    public static SequenceLayout Packed(IReadOnlyList<int> rowLengths) => new([.. rowLengths.Select(length => (long)length)], null);

    /// <summary>Rows side by side that go on where a cache ends.</summary>
    /// <param name="cache">The cache.</param>
    public static SequenceLayout Cached(KeyValueCache cache) => new(null, null, cache);

    /// <summary>Applies a function to each packed row by itself and joins what it gives; rows that lie side by side are handled in one call.</summary>
    /// <param name="input">[B,T,...] or, packed, [1,T,...].</param>
    /// <param name="function">From [B,t,...] to [B,t,...], where no row may reach into another.</param>
    public Tensor PerRow(Tensor input, Func<Tensor, Tensor> function) =>
        _packed is null or { Length: 1 } ? function(input) : cat([.. input.split(_packed, 1).Select(function)], 1);

    /// <summary>Applies a function of two tensors to each packed row by itself and joins what it gives.</summary>
    /// <param name="first">[B,T,...] or, packed, [1,T,...].</param>
    /// <param name="second">The same positions of something else.</param>
    /// <param name="function">From [B,t,...] and [B,t,...] to [B,t,...], where no row may reach into another.</param>
    public Tensor PerRow(Tensor first, Tensor second, Func<Tensor, Tensor, Tensor> function) =>
        _packed is null or { Length: 1 } ? function(first, second) : cat([.. first.split(_packed, 1).Zip(second.split(_packed, 1), function)], 1);

    /// <summary>Gives each position its entry of a table, counted from the start of its row.</summary>
    /// <param name="table">Entries of positions, [at least <see cref="CountPositions"/>,...].</param>
    /// <param name="length">T, where rows lie side by side.</param>
    /// <returns>[T,...], the same for every row; or [B,T,...] where rows of a cache are filled up.</returns>
    public Tensor Positions(Tensor table, long length) =>
        Cache is not null ? Cache.Positions(table, length)
        : _packed is null ? table.narrow(0, 0, length)
        : cat([.. _packed.Select(row => table.narrow(0, 0, row))], 0);

    /// <summary>How many positions a row has at most, those in a cache included.</summary>
    /// <param name="length">T, where rows lie side by side.</param>
    public long CountPositions(long length) => _packed?.Max() ?? length + (Cache?.Length ?? 0);

    /// <summary>Tells where real tokens are in the flattened positions.</summary>
    /// <param name="device">Where they are asked for.</param>
    /// <returns>[n] int64, in the caller's dispose scope; null where no position is padding.</returns>
    public Tensor? FindRealPositions(Device device)
    {
        if (_padded is null || _padded.All(length => length == _padded.Max()))
            return null;
        int longest = _padded.Max();
        return tensor([.. _padded.SelectMany((length, b) => Enumerable.Range(b * longest, length).Select(position => (long)position))], device: device);
    }
}
