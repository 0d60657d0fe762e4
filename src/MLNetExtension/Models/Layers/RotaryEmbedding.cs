using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>
/// Rotary position embedding (Su et al. 2021): the pair (i, i + D/2) of a head's first D coordinates (in most models all) is rotated by its position times theta^(-2i/D). Shared by all blocks of a model.
/// B rows, T positions, H heads.
/// </summary>
/// <remarks>Cosines and sines are computed in float64, once, for as many positions as rows have. Any number of threads may rotate at the same time.</remarks>
internal sealed class RotaryEmbedding : IDisposable
{
    private const long SmallestTable = 64;

    private readonly double[] _frequencies, _longRowFrequencies;
    private readonly long _shortRowLimit;
    private readonly double _amplitude;
    private readonly Lock _lock = new();
    // Replaced tables are kept: a thread may still be reading one that another has just replaced by a longer one. Together they are at most as long as the longest again.
    private readonly List<Table> _tables = [];

    /// <summary>Computes the frequencies.</summary>
    /// <param name="width">D, even.</param>
    /// <param name="theta">Base of the frequencies.</param>
    /// <param name="scaling">How they are scaled; null for no scaling.</param>
    public RotaryEmbedding(int width, double theta, RotaryScaling? scaling)
    {
        double[] frequencies = [.. Enumerable.Range(0, width / 2).Select(i => Math.Pow(theta, -2.0 * i / width))];
        _frequencies = scaling?.Apply(frequencies, theta) ?? frequencies;
        _longRowFrequencies = scaling?.ApplyToLongRow(frequencies, theta) ?? frequencies;
        _shortRowLimit = scaling?.ShortRowLimit ?? long.MaxValue;
        _amplitude = scaling?.Amplitude ?? 1;
    }

    /// <summary>Rotates each head by its position.</summary>
    /// <param name="heads">[B,T,H,D or more].</param>
    /// <param name="layout">How rows are arranged in them.</param>
    /// <returns>[B,T,H,D or more].</returns>
    public Tensor Rotate(Tensor heads, SequenceLayout layout)
    {
        long length = heads.shape[1], half = _frequencies.Length, width = 2 * half, rest = heads.shape[3] - width;
        Func<long, Table> tables = FindTables(layout.CountPositions(length), heads);
        Tensor cosines = layout.SelectPositions(row => tables(row).Cosines, length).unsqueeze(-2);             // [T,1,D] or [B,T,1,D]
        Tensor sines = layout.SelectPositions(row => tables(row).Sines, length).unsqueeze(-2);
        Tensor rotated = rest == 0 ? heads : heads.narrow(3, 0, width);
        Tensor swapped = cat([heads.narrow(3, half, half), heads.narrow(3, 0, half)], 3);    // the other coordinate of each pair, [B,T,H,D]
        rotated = (rotated * cosines).addcmul(swapped, sines, Scalars.One);
        return rest == 0 ? rotated : cat([rotated, heads.narrow(3, width, rest)], 3);
    }

    /// <summary>Rotates each head by its position, in place and without a gradient.</summary>
    /// <param name="heads">[P,H,D or more], positions of all rows.</param>
    /// <param name="layout">How rows are arranged in them.</param>
    /// <param name="back">Whether what is rotated is the gradient of rotated heads, on its way back. Default false.</param>
    public void RotateInPlace(Tensor heads, SequenceLayout layout, bool back = false)
    {
        using var scope = NewDisposeScope();
        long count = heads.shape[0], half = _frequencies.Length;
        Func<long, Table> tables = FindTables(layout.RowLengths(count).Max(), heads);
        Tensor cosines = layout.SelectEveryPosition(row => tables(row).Cosines.narrow(1, 0, half), count).unsqueeze(1);           // [P,1,D/2]
        Tensor sines = layout.SelectEveryPosition(row => tables(row).Sines.narrow(1, half, half), count).unsqueeze(1);
        Tensor first = heads.narrow(2, 0, half), second = heads.narrow(2, half, half), before = first.clone();
        first.mul_(cosines).addcmul_(second, sines, Scalars.Of(back ? 1 : -1));
        second.mul_(cosines).addcmul_(before, sines, Scalars.Of(back ? -1 : 1));
    }

    // Gives the table of a row by its length; each has the positions of the longest row.
    private Func<long, Table> FindTables(long longest, Tensor heads)
    {
        Table table = FindTable(longest, heads.dtype, heads.device, ofLongRows: false);
        if (longest <= _shortRowLimit)
            return _ => table;
        Table ofLongRows = FindTable(longest, heads.dtype, heads.device, ofLongRows: true);
        return row => row > _shortRowLimit ? ofLongRows : table;
    }

    private Table FindTable(long length, ScalarType dtype, Device device, bool ofLongRows)
    {
        string name = device.ToString();
        lock (_lock)
        {
            Table? table = _tables.FindLast(t => t.Cosines.dtype == dtype && t.Device == name && t.OfLongRows == ofLongRows);
            long existing = table?.Cosines.shape[0] ?? 0;
            if (table is null || existing < length)
            {
                long longer = Math.Max(Math.Max(length, SmallestTable), 2 * existing);
                table = CreateTable(longer, dtype, device, ofLongRows);
                _tables.Add(table);
            }
            return table;
        }
    }

    // The sines of the first halves are negative: (x, y) becomes (x cos - y sin, y cos + x sin).
    private Table CreateTable(long length, ScalarType dtype, Device device, bool ofLongRows)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Tensor angles = arange(Scalars.Of(length), dtype: float64).unsqueeze(1) * tensor(ofLongRows ? _longRowFrequencies : _frequencies);             // [T,D/2]
        Tensor cosines = angles.cos() * Scalars.Of(_amplitude), sines = angles.sin() * Scalars.Of(_amplitude);
        Tensor bothCosines = cat([cosines, cosines], 1).to(dtype, device), bothSines = cat([-sines, sines], 1).to(dtype, device);     // [T,D]
        return new Table(bothCosines.DetachFromDisposeScope(), bothSines.DetachFromDisposeScope(), device.ToString(), ofLongRows);
    }

    /// <summary>Frees the tables.</summary>
    public void Dispose()
    {
        foreach (Table table in _tables)
        {
            table.Cosines.Dispose();
            table.Sines.Dispose();
        }
    }

    // [T,D] each.
    private sealed record Table(Tensor Cosines, Tensor Sines, string Device, bool OfLongRows);
}
