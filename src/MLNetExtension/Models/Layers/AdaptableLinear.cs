using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>A linear layer, x W' + b, that can have low-rank adapters, each on different rows of its weight. C inputs, R outputs.</summary>
internal sealed class AdaptableLinear : nn.Module<Tensor, Tensor>, IAdaptableLayer, IBackwardLayer
{
    private Parameter weight;                                   // before the bias: parameters are in the order of their fields
    private readonly Parameter? bias;
    private readonly List<LowRankAdapter> _adapters = [];       // in the order of their parameters
    private RowRange[] _ranges = [];
    private Tensor? weight_scales;                              // a buffer

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
    public LinearWeight Weight => new(weight, weight_scales);

    /// <summary>R, the number of outputs.</summary>
    public long Outputs => weight.shape[0];

    /// <summary>Whether a tensor of a model is the scales of a layer's integers, by its name.</summary>
    public static bool OwnsScales(string name) => name.EndsWith("." + nameof(weight_scales), StringComparison.Ordinal);

    /// <summary>Stores the weight in another type, frozen.</summary>
    /// <param name="type">A floating-point type, or 8-bit integers, which get a scale for each row.</param>
    /// <param name="keepsValues">Whether the weight has values to convert; else it is about to be loaded.</param>
    public void StoreAs(ScalarType type, bool keepsValues)
    {
        using var scope = NewDisposeScope();
        LinearWeight before = Weight;
        (weight_scales, weight) = Allocate(type, before.Scales?.dtype ?? before.Values.dtype.Widen());
        ConditionallyRegisterBuffer(nameof(weight_scales), weight_scales!, persistent: true);
        ConditionallyRegisterParameter(nameof(weight), weight);
        if (keepsValues)
            Weight.Store(0, before.Rows(0, Outputs));
        before.Values.Dispose();
        before.Scales?.Dispose();
    }

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
            adapter.MergeInto(weight.detach(), Weight);
        register_module(adapter.Name, null!);
        _adapters.Remove(adapter);
        _ranges = SplitRows();
        adapter.Dispose();
    }

    /// <summary>[...,C] to [...,R].</summary>
    /// <param name="input">Any number of vectors.</param>
    public override Tensor forward(Tensor input)
    {
        Tensor output = Apply(input);                                                               // [...,R]
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
        Weight.Write(output, input, 0, bias);
        foreach (LowRankAdapter adapter in _adapters)
            adapter.AddTo(output, input, Weight, bias, tape);
        return output;
    }

    /// <inheritdoc/>
    public Tensor Backward(Tensor gradient, Tensor input, Tape tape)
    {
        tape.AddProduct(weight, gradient, input);
        tape.AddSum(bias, gradient);
        Tensor inputGradient = tape.AllocateTemporary(gradient, gradient.shape[0], Weight.Inputs);  // [P,C]
        if (_adapters.Count == 0)
        {
            Weight.WriteBack(inputGradient, gradient, 0);
            return inputGradient;
        }
        using var scope = NewDisposeScope();
        Tensor throughWeight = _adapters.Exists(adapter => adapter.Magnitude is not null) ? gradient.clone() : gradient;
        AdapterGradient[] parts = [.. _adapters.AsEnumerable().Reverse().Select(adapter => adapter.Backward(gradient, throughWeight, input, Weight, tape))];
        Weight.WriteBack(inputGradient, throughWeight, 0);
        foreach (AdapterGradient part in parts)
            part.AddTo(inputGradient);
        return inputGradient;
    }

    /// <inheritdoc/>
    protected override nn.Module _to(DeviceType deviceType, int deviceIndex, bool non_blocking)
    {
        if (weight_scales is null)
            return base._to(deviceType, deviceIndex, non_blocking);
        // TorchSharp moves parameters as if all could be trained, which integers cannot: so this one is away meanwhile.
        Parameter stored = weight;
        weight = null!;
        ConditionallyRegisterParameter(nameof(weight), (Parameter)null!);
        base._to(deviceType, deviceIndex, non_blocking);
        weight = stored.device_type == deviceType ? stored : (Parameter)new Parameter(stored.to(weight_scales.device), requires_grad: false).DetachFromDisposeScope();
        // In the order of before, by which a replica's are matched.
        ConditionallyRegisterParameter(nameof(bias), (Parameter)null!);
        ConditionallyRegisterParameter(nameof(weight), weight);
        if (bias is not null)
            ConditionallyRegisterParameter(nameof(bias), bias);
        return this;
    }

    private Tensor Adapt(RowRange range, Tensor output, Tensor input) => range.Adapter?.Apply(output, input, Weight, bias) ?? output;

    private Tensor Apply(Tensor input)
    {
        bool isShort = VectorProduct.Suits(input, Weight);
        if (!isShort && Weight.IsPlain(input.dtype))
            return MatrixProduct.Multiply(input, weight, bias);
        Tensor product = isShort ? VectorProduct.Multiply(input, Weight) : Weight.Apply(input, 0, Outputs);
        return bias is null ? product : product.Plus(bias);
    }

    // Both belong to the layer.
    private (Tensor? Scales, Parameter Values) Allocate(ScalarType type, ScalarType scaleType)
    {
        Tensor values = empty(weight.shape, dtype: type, device: weight.device);
        Tensor? scales = type != ScalarType.Int8 ? null : empty(Outputs, 1, dtype: scaleType, device: weight.device).DetachFromDisposeScope();
        return (scales, (Parameter)new Parameter(values, requires_grad: false).DetachFromDisposeScope());
    }

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
