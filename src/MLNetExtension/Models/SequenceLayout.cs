using static TorchSharp.torch;

namespace MLNetExtension.Models;

/// <summary>
/// How rows lie in the positions that pass through a model together: side by side and padded, [B,T], or packed one after
/// another into a single sequence, [1,T], where attention stays within each row and positions start anew with it.
/// </summary>
public sealed class SequenceLayout
{
    private SequenceLayout(long[]? rowLengths) => RowLengths = rowLengths;

    /// <summary>Rows side by side, padded at their right end.</summary>
    public static SequenceLayout Padded { get; } = new(null);

    /// <summary>Lengths of packed rows in their order; null where rows lie side by side.</summary>
    public IReadOnlyList<long>? RowLengths { get; }

    /// <summary>Rows packed one after another.</summary>
    /// <param name="rowLengths">Their lengths, in their order.</param>
    public static SequenceLayout Packed(IEnumerable<int> rowLengths) => new([.. rowLengths.Select(length => (long)length)]);

    /// <summary>Applies a function to each row by itself and joins what it gives; padded rows are handled in one call.</summary>
    /// <param name="input">[B,T,...] or, packed, [1,T,...].</param>
    /// <param name="function">From [B,t,...] to [B,t,...], where no row may reach into another.</param>
    public Tensor PerRow(Tensor input, Func<Tensor, Tensor> function) =>
        RowLengths is null or { Count: 1 } ? function(input) : cat([.. input.split([.. RowLengths], 1).Select(function)], 1);

    /// <summary>Gives each position its embedding, counted from the start of its row.</summary>
    /// <param name="table">Embeddings of positions, [longest,C].</param>
    /// <param name="length">T, where rows lie side by side.</param>
    /// <returns>[T,C].</returns>
    public Tensor Positions(Tensor table, long length) =>
        RowLengths is null ? table.narrow(0, 0, length) : cat([.. RowLengths.Select(row => table.narrow(0, 0, row))], 0);
}
