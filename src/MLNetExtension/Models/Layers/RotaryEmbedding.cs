using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>
/// Rotary position embedding (Su et al. 2021): the pair (i, i + D/2) of a head's coordinates is turned by its position times theta^(-2i/D). Serves all blocks of a model.
/// B rows, T positions, H heads, D width of a head.
/// </summary>
/// <remarks>Cosines and sines are computed in float64, once, for as many positions as rows turn out to have. Any number of threads may ask for them.</remarks>
internal sealed class RotaryEmbedding : IDisposable
{
    private const long SmallestTable = 64;

    private readonly double[] _frequencies;
    private readonly double _amplitude;
    private readonly Lock _lock = new();
    // Never freed one by one: a thread may still be reading a table that another has just replaced by a longer one. Together they are at most as long again as the longest.
    private readonly List<Table> _tables = [];

    /// <summary>Makes the frequencies.</summary>
    /// <param name="headWidth">D, even.</param>
    /// <param name="theta">Base of the frequencies.</param>
    /// <param name="scaling">How they are changed; null for not at all.</param>
    public RotaryEmbedding(int headWidth, double theta, RotaryScaling? scaling)
    {
        double[] frequencies = [.. Enumerable.Range(0, headWidth / 2).Select(i => Math.Pow(theta, -2.0 * i / headWidth))];
        _frequencies = scaling?.Apply(frequencies, theta) ?? frequencies;
        _amplitude = scaling?.Amplitude ?? 1;
    }

    /// <summary>Turns each head by its position.</summary>
    /// <param name="heads">[B,T,H,D].</param>
    /// <param name="layout">How rows lie in them.</param>
    /// <returns>[B,T,H,D].</returns>
    public Tensor Rotate(Tensor heads, SequenceLayout layout)
    {
        long length = heads.shape[1], half = heads.shape[3] / 2;
        Table table = TableFor(layout.CountPositions(length), heads.dtype, heads.device);
        Tensor cosines = layout.Positions(table.Cosines, length).unsqueeze(-2);             // [T,1,D] or [B,T,1,D]
        Tensor sines = layout.Positions(table.Sines, length).unsqueeze(-2);
        Tensor turned = cat([heads.narrow(3, half, half), heads.narrow(3, 0, half)], 3);    // the other coordinate of each pair
        return (heads * cosines).addcmul(turned, sines, 1);
    }

    private Table TableFor(long length, ScalarType dtype, Device device)
    {
        string place = device.ToString();
        lock (_lock)
        {
            Table? table = _tables.FindLast(t => t.Cosines.dtype == dtype && t.Place == place);
            if (table is null || table.Cosines.shape[0] < length)
                _tables.Add(table = Make(Math.Max(Math.Max(length, SmallestTable), 2 * (table?.Cosines.shape[0] ?? 0)), dtype, device));
            return table;
        }
    }

    // The sign of a turn is in the table: the first of a pair loses what the second gains.
    private Table Make(long length, ScalarType dtype, Device device)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Tensor angles = arange(length, dtype: float64).unsqueeze(1) * tensor(_frequencies);             // [T,D/2]
        Tensor cosines = angles.cos() * _amplitude, sines = angles.sin() * _amplitude;
        return new Table(
            cat([cosines, cosines], 1).to(dtype, device).DetachFromDisposeScope(), cat([-sines, sines], 1).to(dtype, device).DetachFromDisposeScope(), device.ToString());
    }

    public void Dispose()
    {
        foreach (Table table in _tables)
        {
            table.Cosines.Dispose();
            table.Sines.Dispose();
        }
    }

    // [T,D] each.
    private sealed record Table(Tensor Cosines, Tensor Sines, string Place);
}
