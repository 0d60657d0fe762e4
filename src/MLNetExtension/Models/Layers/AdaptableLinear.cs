using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>A linear layer, x W' + b, that can have low-rank adapters, each on different rows of its weight. C inputs, R outputs.</summary>
internal sealed class AdaptableLinear : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight;
    private readonly Parameter? bias;
    private readonly List<LowRankAdapter> _adapters = [];       // in the order of their parameters
    private RowRange[] _ranges = [];

    /// <summary>Creates a layer without adapters.</summary>
    /// <param name="weight">[R,C].</param>
    /// <param name="bias">[R], or null.</param>
    public AdaptableLinear(Parameter weight, Parameter? bias)
        : base(nameof(AdaptableLinear))
    {
        this.weight = weight;
        this.bias = bias;
        // They belong to the layer, not to the scope it is created in.
        weight.DetachFromDisposeScope();
        bias?.DetachFromDisposeScope();
        RegisterComponents();
    }

    /// <summary>C, the number of inputs.</summary>
    public long Inputs => weight.shape[1];

    /// <summary>R, the number of outputs.</summary>
    public long Outputs => weight.shape[0];

    /// <summary>Adds an adapter, which the layer then owns.</summary>
    /// <param name="adapter">Its rows are not those of another adapter.</param>
    public void Add(LowRankAdapter adapter)
    {
        adapter.train(training);
        register_module(NameOf(adapter), adapter);
        _adapters.Add(adapter);
        _ranges = SplitRows();
    }

    /// <summary>Adds empty adapters with the settings of another layer's.</summary>
    /// <param name="other">A layer of the same shape.</param>
    public void AddAdaptersOf(AdaptableLinear other) => other._adapters.ForEach(adapter => Add(adapter.CreateEmpty()));

    /// <summary>Removes an adapter and frees it.</summary>
    /// <param name="adapter">One of this layer.</param>
    /// <param name="merge">Whether its product is added to the weight, so that the layer computes the same, up to rounding.</param>
    public void Remove(LowRankAdapter adapter, bool merge)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        if (merge)
        {
            Tensor rows = weight.detach().narrow(0, adapter.FirstRow, adapter.Rows), product = adapter.ComputeProduct();
            rows.copy_(rows.to(product.dtype) + product);
        }
        register_module(NameOf(adapter), null!);
        _adapters.Remove(adapter);
        _ranges = SplitRows();
        adapter.Dispose();
    }

    /// <summary>Restarts the random numbers of the adapters' dropout.</summary>
    /// <param name="seed">The seed.</param>
    public void ReseedDropout(long seed)
    {
        for (int k = 0; k < _adapters.Count; k++)
            _adapters[k].ReseedDropout(unchecked(seed + k));
    }

    /// <summary>[...,C] to [...,R].</summary>
    /// <param name="input">Any number of vectors.</param>
    public override Tensor forward(Tensor input)
    {
        Tensor output = nn.functional.linear(input, weight, bias);                                  // [...,R]
        if (_ranges.Length == 0)
            return output;
        if (_ranges.Length == 1)
            return _ranges[0].AddAdapter(input, output);
        Tensor[] parts = output.split([.. _ranges.Select(range => range.Rows)], -1);                // [...,rows] each
        for (int i = 0; i < parts.Length; i++)
            parts[i] = _ranges[i].AddAdapter(input, parts[i]);
        return cat(parts, -1);
    }

    // By the rows, so that a replica's adapter has the same name.
    private static string NameOf(LowRankAdapter adapter) => $"adapter_{adapter.FirstRow}";

    private RowRange[] SplitRows()
    {
        if (_adapters.Count == 0)
            return [];
        List<RowRange> ranges = [];
        long end = 0;
        foreach (LowRankAdapter adapter in _adapters.OrderBy(adapter => adapter.FirstRow))
        {
            if (adapter.FirstRow > end)
                ranges.Add(new RowRange(adapter.FirstRow - end, null));
            ranges.Add(new RowRange(adapter.Rows, adapter));
            end = adapter.FirstRow + adapter.Rows;
        }
        if (Outputs > end)
            ranges.Add(new RowRange(Outputs - end, null));
        return [.. ranges];
    }

    // Consecutive rows of the weight, with the adapter that acts on them, if any.
    private readonly record struct RowRange(long Rows, LowRankAdapter? Adapter)
    {
        // The sum is taken in the wider of the two types and rounded once.
        public Tensor AddAdapter(Tensor input, Tensor output) => Adapter is null ? output : (output + Adapter.call(input)).to(output.dtype);
    }
}
