using MLNetExtension.Models;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Accumulation;

/// <summary>
/// Every trainable parameter as a view into one contiguous buffer, and its gradient as a view into another: dividing, clipping, stepping and
/// zeroing are then a few calls on one tensor, whatever the number of parameters. P is the number of trainable scalars.
/// </summary>
/// <remarks>
/// <para>What accumulates: autograd adds into <see cref="Gradients"/> in place, because each parameter's <c>grad</c> is a view of it; it is reset by <see cref="ZeroGradients"/> alone.
/// Where the model computes in half precision, its parameters and their gradients view half-precision buffers instead: <see cref="CollectGradients"/> adds those gradients to
/// the float32 sum after every micro-batch, so that no sum over micro-batches is ever rounded to half precision, and <see cref="PublishValues"/> rounds the stepped values once.</para>
/// <para>The parameters that decay come first, so that weight decay acts on one leading piece.
/// Move a model to its device first: a later move gives its parameters memory of their own, outside of the buffers.</para>
/// </remarks>
public sealed class FlatParameters : IDisposable
{
    private readonly Slot[] _slots;
    private readonly Dictionary<nint, Tensor> _gradients = [];    // by the parameter's handle
    private readonly Func<string, Parameter, bool> _decays;
    private readonly Tensor? _computedValues, _computedGradients;    // [P], where the model computes in half precision

    /// <summary>Moves the trained parameters of a model into new buffers; their values stay as they are.</summary>
    /// <param name="parameters">Names and parameters. A tied parameter, which appears under two names, is stored once. Parameters that need no gradient are left alone.</param>
    /// <param name="decays">Whether weight decay acts on a parameter. Default: on those of two and more dimensions, so that biases and norms are spared.</param>
    /// <exception cref="ArgumentException">There is nothing to train, or the parameters differ in dtype or device.</exception>
    public FlatParameters(IEnumerable<(string name, Parameter parameter)> parameters, Func<string, Parameter, bool>? decays = null)
        : this(parameters, decays ?? ((_, parameter) => parameter.dim() >= 2), shared: null)
    {
    }

    private FlatParameters(IEnumerable<(string name, Parameter parameter)> parameters, Func<string, Parameter, bool> decays, FlatParameters? shared)
    {
        _decays = decays;
        _slots = [.. parameters
            .Where(p => p.parameter.requires_grad)
            .DistinctBy(p => p.parameter.Handle)
            .Select(p => new Slot(p.name, p.parameter, decays(p.name, p.parameter)))
            .OrderBy(slot => slot.Decays ? 0 : 1)];
        if (_slots.Length == 0)
            throw new ArgumentException("No parameter of the model needs a gradient: there is nothing to train.", nameof(parameters));
        Parameter first = _slots[0].Parameter;
        foreach (Slot slot in _slots)
        {
            if (slot.Parameter.dtype != first.dtype || slot.Parameter.device.ToString() != first.device.ToString())
                throw new ArgumentException(
                    $"All trained parameters must share a dtype and a device: '{_slots[0].Name}' is {first.dtype} on {first.device}, '{slot.Name}' is {slot.Parameter.dtype} on {slot.Parameter.device}.", nameof(parameters));
        }

        Length = _slots.Sum(slot => slot.Parameter.numel());
        DecayedLength = _slots.Where(slot => slot.Decays).Sum(slot => slot.Parameter.numel());
        Names = [.. _slots.Select(slot => slot.Name)];

        using var scope = NewDisposeScope();
        using var _ = no_grad();
        bool half = first.dtype.IsHalf();
        ScalarType master = first.dtype.Widen();
        Values = (shared?.Values.view(-1) ?? empty(Length, dtype: master, device: first.device)).DetachFromDisposeScope();
        Gradients = zeros(Length, dtype: master, device: first.device).DetachFromDisposeScope();
        if (half)
        {
            _computedValues = (shared?._computedValues!.view(-1) ?? empty(Length, dtype: first.dtype, device: first.device)).DetachFromDisposeScope();
            _computedGradients = zeros(Length, dtype: first.dtype, device: first.device).DetachFromDisposeScope();
        }

        long offset = 0;
        foreach (Slot slot in _slots)
        {
            Tensor value = View(_computedValues ?? Values, offset, slot.Shape);
            if (shared is null)
                value.copy_(slot.Parameter);
            slot.Parameter.set_(value);
            slot.Gradient = View(Gradients, offset, slot.Shape).DetachFromDisposeScope();
            _gradients[slot.Parameter.Handle] = slot.Gradient;
            slot.Parameter.grad = _computedGradients is null ? slot.Gradient : View(_computedGradients, offset, slot.Shape);
            slot.Offset = offset;
            offset += slot.Parameter.numel();
        }
        if (half && shared is null)
            Values.copy_(_computedValues!);
    }

    /// <summary>P, the number of trainable scalars.</summary>
    public long Length { get; }

    /// <summary>How many leading scalars weight decay acts on.</summary>
    public long DecayedLength { get; }

    /// <summary>Names of the parameters, in the order in which the buffers hold them.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Where each parameter lies in the buffers, in their order, without gaps.</summary>
    internal IReadOnlyList<FlatSlot> Slots => [.. _slots.Select(slot => new FlatSlot(slot.Name, slot.Offset, slot.Shape, slot.Decays))];

    /// <summary>The parameters' values, [P], float32 or float64; where the model computes in half precision, the master copy.</summary>
    public Tensor Values { get; }

    /// <summary>The accumulated gradient, [P], in the dtype of <see cref="Values"/>.</summary>
    public Tensor Gradients { get; }

    /// <summary>Makes flat parameters for a replica of the model: they view the same values and have gradients of their own, so that another thread can accumulate at the same time.</summary>
    /// <param name="replica">Names and parameters of the replica, in the model's order.</param>
    /// <exception cref="ArgumentException">Names or shapes differ from those of this model.</exception>
    public FlatParameters Share(IEnumerable<(string name, Parameter parameter)> replica)
    {
        FlatParameters shared = new(replica, _decays, shared: this);
        bool sameNames = shared.Names.SequenceEqual(Names);
        if (sameNames && shared._slots.Zip(_slots).All(pair => pair.First.Shape.SequenceEqual(pair.Second.Shape)))
            return shared;
        shared.Dispose();
        throw new ArgumentException($"A replica has the parameters of its model, in their order: {string.Join(", ", Names)}.", nameof(replica));
    }

    /// <summary>The accumulated gradient of a parameter: a view of its piece of <see cref="Gradients"/>, in the parameter's shape. What adds to it directly is never rounded to half precision.</summary>
    /// <param name="parameter">A trained parameter.</param>
    /// <exception cref="KeyNotFoundException">The parameter is not one of these.</exception>
    public Tensor GradientOf(Tensor parameter) =>
        FindGradient(parameter) ?? throw new KeyNotFoundException($"A parameter of shape [{string.Join(", ", parameter.shape)}] is not one of the flat parameters.");

    /// <summary>Finds the accumulated gradient of a parameter, as <see cref="GradientOf"/> gives it.</summary>
    /// <param name="parameter">Any parameter of the model.</param>
    /// <returns>Null for one that is not trained.</returns>
    internal Tensor? FindGradient(Tensor parameter) => _gradients.GetValueOrDefault(parameter.Handle);

    /// <summary>Sets the master copy of a parameter's value, in full precision. The model sees it once <see cref="PublishValues"/> has been called, after the last one.</summary>
    /// <param name="name">Name of the parameter.</param>
    /// <param name="value">Its value, in its shape.</param>
    public void SetMaster(string name, Tensor value)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Slot slot = _slots.Single(slot => slot.Name == name);
        View(Values, slot.Offset, slot.Shape).copy_(value);
    }

    /// <summary>Gets the master copy of a parameter's value, in full precision.</summary>
    /// <param name="name">Name of the parameter.</param>
    /// <returns>A view of <see cref="Values"/> in the parameter's shape.</returns>
    public Tensor GetMaster(string name)
    {
        Slot slot = _slots.Single(slot => slot.Name == name);
        return View(Values, slot.Offset, slot.Shape);
    }

    /// <summary>Adds a micro-batch's half-precision gradients to the sum and zeroes them; does nothing where the sum itself receives them.</summary>
    public void CollectGradients()
    {
        if (_computedGradients is null)
            return;
        using var scope = NewDisposeScope();
        Gradients.add_(_computedGradients, Scalars.One);
        _computedGradients.zero_();
    }

    /// <summary>Rounds the stepped values to the half precision that the model computes in; does nothing where it computes with the values themselves.</summary>
    public void PublishValues()
    {
        if (_computedValues is null)
            return;
        using var scope = NewDisposeScope();
        _computedValues.copy_(Values);
    }

    /// <summary>Sets the accumulated gradient to zero, for the next batch.</summary>
    public void ZeroGradients()
    {
        using var scope = NewDisposeScope();
        Gradients.zero_();
        _computedGradients?.zero_();
    }

    /// <summary>Frees the gradients; parameters keep their values, in the memory that they view.</summary>
    public void Dispose()
    {
        foreach (Slot slot in _slots)
        {
            // A parameter that has moved on to another precision is disposed of.
            if (!slot.Parameter.IsInvalid)
                slot.Parameter.grad = null;
            slot.Gradient?.Dispose();
        }
        _computedGradients?.Dispose();
        _computedValues?.Dispose();
        Gradients.Dispose();
        Values.Dispose();
    }

    private static Tensor View(Tensor buffer, long offset, long[] shape) => buffer.narrow(0, offset, shape.Aggregate(1L, (product, size) => product * size)).view(shape);

    private sealed class Slot(string name, Parameter parameter, bool decays)
    {
        public string Name { get; } = name;

        public bool Decays { get; } = decays;

        public Parameter Parameter { get; } = parameter;

        // Kept, because a model that moves on to another precision leaves its parameters here disposed.
        public long[] Shape { get; } = parameter.shape;

        public Tensor? Gradient { get; set; }

        public long Offset { get; set; }
    }
}

/// <summary>Where a parameter lies in flat buffers.</summary>
/// <param name="Name">Its name in the model.</param>
/// <param name="Offset">Its first number.</param>
/// <param name="Shape">Its shape.</param>
/// <param name="Decays">Whether weight decay acts on it.</param>
internal sealed record FlatSlot(string Name, long Offset, long[] Shape, bool Decays)
{
    /// <summary>How many numbers it has.</summary>
    public long Length => Shape.Aggregate(1L, (product, size) => product * size);
}
