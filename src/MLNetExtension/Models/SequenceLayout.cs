using MLNetExtension.Models.Layers;
using MLNetExtension.Data;
using static TorchSharp.torch;

namespace MLNetExtension.Models;

/// <summary>
/// How rows are arranged in the positions that pass through a model together: side by side and padded, [B,T]; or packed one after
/// another into a single sequence, [1,T], where attention stays within each row and positions restart with it; or continuing the positions in a cache. B rows, T positions.
/// </summary>
public sealed class SequenceLayout
{
    private readonly long[]? _packed;
    private readonly IReadOnlyList<int>? _padded;

    private SequenceLayout(long[]? packed, IReadOnlyList<int>? padded, KeyValueCache? cache = null) => (_packed, _padded, Cache) = (packed, padded, cache);

    /// <summary>Rows side by side, all of whose positions are real tokens.</summary>
    internal static SequenceLayout Full { get; } = new(null, null);

    /// <summary>Earlier positions that the rows attend to as well; null for none.</summary>
    internal KeyValueCache? Cache { get; }

    // Null where each sequence is one row.
    private long[]? PackedRows => _packed is { Length: > 1 } ? _packed : null;

    /// <summary>Rows side by side, padded at their right end to the longest of them.</summary>
    /// <param name="rowLengths">Their lengths, in their order.</param>
    internal static SequenceLayout Padded(IReadOnlyList<int> rowLengths) => new(null, rowLengths);

    /// <summary>Rows packed one after another.</summary>
    /// <param name="rowLengths">Their lengths, in their order.</param>
    internal static SequenceLayout Packed(IReadOnlyList<int> rowLengths) => new([.. rowLengths.Select(length => (long)length)], null);

    /// <summary>Gives the arrangement of a micro-batch's rows.</summary>
    /// <param name="microBatch">The micro-batch.</param>
    internal static SequenceLayout Of(MicroBatch microBatch) => microBatch.IsPacked ? Packed(microBatch.RowLengths) : Padded(microBatch.RowLengths);

    /// <summary>Rows side by side that continue those in a cache.</summary>
    /// <param name="cache">The cache.</param>
    internal static SequenceLayout Cached(KeyValueCache cache) => new(null, null, cache);

    /// <summary>Attends from each position to itself and to those before it in its row, those in a cache included.</summary>
    /// <param name="layer">The attention layer, under which a cache stores its keys and values: the same object in every pass, and another one for each layer.</param>
    /// <param name="queries">[B,T,H,D], of H heads of width D.</param>
    /// <param name="keys">[B,T,G,D], where G divides H and each of the G serves H/G neighbors (Ainslie et al. 2023).</param>
    /// <param name="values">[B,T,G,D].</param>
    /// <param name="dropout">Dropout of the attention probabilities. Default null, none.</param>
    /// <returns>[B,T,H,D]: softmax(Q K' / sqrt(D)) V.</returns>
    public Tensor Attend(nn.Module layer, Tensor queries, Tensor keys, Tensor values, SeededDropout? dropout = null)
    {
        return ApplyPerRow([queries, keys, values], rows =>
        {
            AttentionHeads heads = new(rows[0].transpose(1, 2), rows[1].transpose(1, 2), rows[2].transpose(1, 2));
            Tensor mixed = Cache is null ? CausalAttention.Attend(heads, dropout: dropout) : CausalAttention.AttendCached(heads, layer, Cache);
            return mixed.transpose(1, 2);                                                                          // [B,t,H,D]
        });
    }

    /// <summary>Applies a function to each packed row by itself and concatenates the results; rows side by side are handled in one call.</summary>
    /// <param name="input">[B,T,...] or, packed, [1,T,...].</param>
    /// <param name="function">From [B,t,...] to [B,t,...], which treats each row by itself.</param>
    public Tensor ApplyPerRow(Tensor input, Func<Tensor, Tensor> function) =>
        PackedRows is not { } rows ? function(input) : cat([.. input.split(rows, 1).Select(function)], 1);

    /// <summary>Applies a function of several tensors to each packed row by itself and concatenates the results.</summary>
    /// <param name="inputs">Each [B,T,...] or, packed, [1,T,...].</param>
    /// <param name="function">From [B,t,...] each to [B,t,...], which treats each row by itself.</param>
    internal Tensor ApplyPerRow(Tensor[] inputs, Func<Tensor[], Tensor> function)
    {
        if (PackedRows is not { } rows)
            return function(inputs);
        Tensor[][] parts = [.. inputs.Select(input => input.split(rows, 1))];
        return cat([.. rows.Select((_, i) => function([.. parts.Select(part => part[i])]))], 1);
    }

    /// <summary>Looks up each position, counted from the start of its row, in a table.</summary>
    /// <param name="table">Entries of positions, [ContextLength,...].</param>
    /// <param name="length">T, where rows are side by side.</param>
    /// <returns>[T,...], the same for every row; or [B,T,...] where rows of a cache are padded.</returns>
    public Tensor SelectPositions(Tensor table, long length) => SelectPositions(_ => table, length);

    /// <summary>Looks up each position, counted from the start of its row, in the table for rows of that length.</summary>
    /// <param name="tableOf">Gives entries of positions, [ContextLength,...], by the length of a row, padding left out.</param>
    /// <param name="length">T, where rows are side by side.</param>
    /// <returns>[T,...], the same for every row; or [B,T,...].</returns>
    internal Tensor SelectPositions(Func<long, Tensor> tableOf, long length)
    {
        if (Cache is not null)
            return Cache.SelectPositions(tableOf, length);
        if (_packed is not null)
            return cat([.. _packed.Select(row => tableOf(row).narrow(0, 0, row))], 0);
        Tensor[] tables = _padded is null ? [tableOf(length)] : [.. _padded.Select(row => tableOf(row))];
        return tables.All(table => ReferenceEquals(table, tables[0])) ? tables[0].narrow(0, 0, length)
            : stack([.. tables.Select(table => table.narrow(0, 0, length))]);
    }

    /// <summary>Looks up each position of every row in the table for rows of that length: for rows side by side, one row after another.</summary>
    /// <param name="tableOf">Gives entries of positions, [ContextLength,...], by the length of a row, padding left out.</param>
    /// <param name="count">P, the positions of all rows.</param>
    /// <returns>[P,...].</returns>
    internal Tensor SelectEveryPosition(Func<long, Tensor> tableOf, long count)
    {
        IEnumerable<long> real = _padded?.Select(row => (long)row) ?? RowLengths(count);
        return cat([.. RowLengths(count).Zip(real, (length, row) => tableOf(row).narrow(0, 0, length))], 0);
    }

    /// <summary>Groups rows that can be computed together.</summary>
    /// <param name="count">P, the positions of all rows.</param>
    internal IEnumerable<RowGroup> GroupRows(long count) => RowGroup.Join(RowLengths(count));

    /// <summary>Counts the positions of the longest row, those in a cache included.</summary>
    /// <param name="length">T, where rows are side by side.</param>
    internal long CountPositions(long length) => _packed?.Max() ?? length + (Cache?.Length ?? 0);

    /// <summary>Lists the lengths of the rows, padding included.</summary>
    /// <param name="count">P, the positions of all rows.</param>
    internal IEnumerable<long> RowLengths(long count) => _packed ?? (_padded is null ? [count] : Enumerable.Repeat(count / _padded.Count, _padded.Count));

    /// <summary>Finds the real tokens, padding left out, in the flattened positions.</summary>
    /// <param name="device">Where the result is needed.</param>
    /// <returns>[n] int64, in the caller's dispose scope; null where no position is padding.</returns>
    internal Tensor? FindRealPositions(Device device)
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
        return device.Upload([.. positions]);
    }
}
