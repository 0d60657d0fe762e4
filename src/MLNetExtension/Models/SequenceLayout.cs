using static TorchSharp.torch;

namespace MLNetExtension.Models;

/// <summary>
/// How rows are arranged in the positions that pass through a model together: side by side and padded, [B,T]; or packed one after
/// another into a single sequence, [1,T], where attention stays within each row and positions restart with it; or continuing the positions in a cache. B rows, T positions.
/// </summary>
internal sealed class SequenceLayout
{
    private readonly long[]? _packed;
    private readonly IReadOnlyList<int>? _padded;

    private SequenceLayout(long[]? packed, IReadOnlyList<int>? padded, KeyValueCache? cache = null) => (_packed, _padded, Cache) = (packed, padded, cache);

    /// <summary>Rows side by side, all of whose positions are real tokens.</summary>
    public static SequenceLayout Full { get; } = new(null, null);

    /// <summary>Earlier positions that the rows attend to as well; null for none.</summary>
    public KeyValueCache? Cache { get; }

    /// <summary>Rows side by side, padded at their right end to the longest of them.</summary>
    /// <param name="rowLengths">Their lengths, in their order.</param>
    public static SequenceLayout Padded(IReadOnlyList<int> rowLengths) => new(null, rowLengths);

    /// <summary>Rows packed one after another.</summary>
    /// <param name="rowLengths">Their lengths, in their order.</param>
    public static SequenceLayout Packed(IReadOnlyList<int> rowLengths) => new([.. rowLengths.Select(length => (long)length)], null);

    /// <summary>Rows side by side that continue those in a cache.</summary>
    /// <param name="cache">The cache.</param>
    public static SequenceLayout Cached(KeyValueCache cache) => new(null, null, cache);

    /// <summary>Applies a function to each packed row by itself and concatenates the results; rows side by side are handled in one call.</summary>
    /// <param name="input">[B,T,...] or, packed, [1,T,...].</param>
    /// <param name="function">From [B,t,...] to [B,t,...], which treats each row by itself.</param>
    public Tensor ApplyPerRow(Tensor input, Func<Tensor, Tensor> function) =>
        _packed is null or { Length: 1 } ? function(input) : cat([.. input.split(_packed, 1).Select(function)], 1);

    /// <summary>Applies a function of two tensors to each packed row by itself and concatenates the results.</summary>
    /// <param name="first">[B,T,...] or, packed, [1,T,...].</param>
    /// <param name="second">Another tensor with the same positions.</param>
    /// <param name="function">From [B,t,...] and [B,t,...] to [B,t,...], which treats each row by itself.</param>
    public Tensor ApplyPerRow(Tensor first, Tensor second, Func<Tensor, Tensor, Tensor> function) =>
        _packed is null or { Length: 1 } ? function(first, second) : cat([.. first.split(_packed, 1).Zip(second.split(_packed, 1), function)], 1);

    /// <summary>Looks up each position, counted from the start of its row, in a table.</summary>
    /// <param name="table">Entries of positions, [at least <see cref="CountPositions"/>,...].</param>
    /// <param name="length">T, where rows are side by side.</param>
    /// <returns>[T,...], the same for every row; or [B,T,...] where rows of a cache are padded.</returns>
    public Tensor SelectPositions(Tensor table, long length) =>
        Cache is not null ? Cache.SelectPositions(table, length)
        : _packed is null ? table.narrow(0, 0, length)
        : cat([.. _packed.Select(row => table.narrow(0, 0, row))], 0);

    /// <summary>Counts the positions of the longest row, those in a cache included.</summary>
    /// <param name="length">T, where rows are side by side.</param>
    public long CountPositions(long length) => _packed?.Max() ?? length + (Cache?.Length ?? 0);

    /// <summary>Finds the real tokens, padding left out, in the flattened positions.</summary>
    /// <param name="device">Where the result is needed.</param>
    /// <returns>[n] int64, in the caller's dispose scope; null where no position is padding.</returns>
    public Tensor? FindRealPositions(Device device)
    {
        if (_padded is null)
            return null;
        int longest = _padded.Max();
        if (_padded.All(length => length == longest))
            return null;
        List<long> positions = [];
        for (int row = 0; row < _padded.Count; row++)
        {
            for (int t = 0; t < _padded[row]; t++)
                positions.Add((long)row * longest + t);
        }
        return tensor([.. positions], device: device);
    }
}
