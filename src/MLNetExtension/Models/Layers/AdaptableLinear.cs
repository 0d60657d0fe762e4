using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>A linear layer, x W' + b, that can have low-rank adapters, each on different rows of its weight. C inputs, R outputs.</summary>
internal sealed class AdaptableLinear : nn.Module<Tensor, Tensor>, IAdaptableLayer, IBackwardLayer
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

    /// <inheritdoc/>
    public Tensor Weight => weight;

    /// <summary>R, the number of outputs.</summary>
    public long Outputs => weight.shape[0];

    /// <inheritdoc/>
    public IReadOnlyList<LowRankAdapter> Adapters => _adapters;

    /// <inheritdoc/>
    public void Add(LowRankAdapter adapter)
    {
        adapter.train(training);
        register_module(adapter.Name, adapter);
        _adapters.Add(adapter);
        _ranges = SplitRows();
    }

    /// <inheritdoc/>
    public void Remove(LowRankAdapter adapter, bool merge)
    {
        if (merge)
            adapter.MergeInto(weight);
        register_module(adapter.Name, null!);
        _adapters.Remove(adapter);
        _ranges = SplitRows();
        adapter.Dispose();
    }

    /// <summary>[...,C] to [...,R].</summary>
    /// <param name="input">Any number of vectors.</param>
    public override Tensor forward(Tensor input)
    {
        Tensor output = nn.functional.linear(input, weight, bias);                                  // [...,R]
        if (_ranges.Length == 0)
            return output;
        if (_ranges.Length == 1)
            return Adapt(_ranges[0], output, input);
        Tensor[] parts = output.split([.. _ranges.Select(range => range.Rows)], -1);                // [...,rows] each
        for (int i = 0; i < parts.Length; i++)
            parts[i] = Adapt(_ranges[i], parts[i], input);
        return cat(parts, -1);
    }

    /// <inheritdoc/>
    public Tensor Forward(Tensor input, Tape tape)
    {
        Tensor output = tape.Allocate(input, input.shape[0], Outputs);                              // [P,R]
        if (bias is null)
            output.addmm_(input, weight.t(), beta: 0);
        else
            output.copy_(bias).addmm_(input, weight.t());
        foreach (LowRankAdapter adapter in _adapters)
            adapter.AddTo(output, input, weight, bias, tape);
        return output;
    }

    /// <inheritdoc/>
    public Tensor Backward(Tensor gradient, Tensor input, Tape tape)
    {
        tape.AddProduct(weight, gradient, input);
        tape.AddSum(bias, gradient);
        if (_adapters.Count == 0)
            return gradient.mm(weight);                                                             // [P,C]
        using var scope = NewDisposeScope();
        Tensor throughWeight = _adapters.Exists(adapter => adapter.Magnitude is not null) ? gradient.clone() : gradient;
        AdapterGradient[] parts = [.. _adapters.AsEnumerable().Reverse().Select(adapter => adapter.Backward(gradient, throughWeight, input, weight, tape))];
        Tensor inputGradient = throughWeight.mm(weight);                                            // [P,C]
        foreach (AdapterGradient part in parts)
            part.AddTo(inputGradient);
        return inputGradient.MoveToOuterDisposeScope();
    }

    private Tensor Adapt(RowRange range, Tensor output, Tensor input) => range.Adapter?.Apply(output, input, weight, bias) ?? output;

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
    private readonly record struct RowRange(long Rows, LowRankAdapter? Adapter);
}
