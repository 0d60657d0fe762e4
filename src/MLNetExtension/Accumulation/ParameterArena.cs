using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Accumulation;

/// <summary>
/// Every trainable parameter as a view into one contiguous buffer, and its gradient as a view into another: dividing, clipping, stepping and
/// zeroing are then a few calls on one tensor, whatever the number of parameters. P is the number of trainable scalars.
/// </summary>
/// <remarks>
/// What accumulates: autograd adds into <see cref="Gradients"/> in place, because each parameter's <c>grad</c> is a view of it; it is reset by <see cref="ZeroGradients"/> alone.
/// Matrices come first and vectors after them, so that weight decay, which by custom spares biases and norms, acts on one leading piece.
/// Move a model to its device before making its arena: moving it later would part its parameters from the buffers.
/// </remarks>
public sealed class ParameterArena : IDisposable
{
    private readonly Dictionary<IntPtr, Tensor> _gradients = [];

    /// <summary>Moves the parameters of a model that train into a new arena; their values stay as they are.</summary>
    /// <param name="parameters">Names and parameters. A tied parameter, met under a second name, is stored once. Those that need no gradient stay outside.</param>
    /// <exception cref="ArgumentException">There is nothing to train, or the parameters differ in dtype or device.</exception>
    public ParameterArena(IEnumerable<(string name, Parameter parameter)> parameters)
    {
        Slot[] slots = [.. parameters
            .Where(p => p.parameter.requires_grad)
            .DistinctBy(p => p.parameter.Handle)
            .OrderBy(p => p.parameter.dim() >= 2 ? 0 : 1)
            .Select(p => new Slot(p.name, p.parameter))];
        if (slots.Length == 0)
            throw new ArgumentException("No parameter of the model needs a gradient: there is nothing to train.", nameof(parameters));
        Parameter first = slots[0].Parameter;
        foreach (Slot slot in slots)
        {
            if (slot.Parameter.dtype != first.dtype || slot.Parameter.device.ToString() != first.device.ToString())
                throw new ArgumentException(
                    $"All trained parameters must share a dtype and a device: '{slots[0].Name}' is {first.dtype} on {first.device}, '{slot.Name}' is {slot.Parameter.dtype} on {slot.Parameter.device}.", nameof(parameters));
        }

        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Length = slots.Sum(slot => slot.Parameter.numel());
        DecayedLength = slots.Where(slot => slot.Parameter.dim() >= 2).Sum(slot => slot.Parameter.numel());
        Values = empty(Length, dtype: first.dtype, device: first.device).DetachFromDisposeScope();
        Gradients = zeros(Length, dtype: first.dtype, device: first.device).DetachFromDisposeScope();
        Names = [.. slots.Select(slot => slot.Name)];

        long offset = 0;
        foreach (Slot slot in slots)
        {
            long length = slot.Parameter.numel();
            Tensor value = Values.narrow(0, offset, length).view(slot.Parameter.shape);
            Tensor gradient = Gradients.narrow(0, offset, length).view(slot.Parameter.shape).DetachFromDisposeScope();
            value.copy_(slot.Parameter);
            slot.Parameter.set_(value);
            slot.Parameter.grad = gradient;
            _gradients[slot.Parameter.Handle] = gradient;
            offset += length;
        }
    }

    /// <summary>P, the number of trainable scalars.</summary>
    public long Length { get; }

    /// <summary>How many leading scalars belong to matrices, the ones that weight decay acts on.</summary>
    public long DecayedLength { get; }

    /// <summary>Names of the parameters in the arena's order.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>The parameters' values, [P].</summary>
    public Tensor Values { get; }

    /// <summary>The accumulated gradient, [P].</summary>
    public Tensor Gradients { get; }

    /// <summary>The view of <see cref="Gradients"/> that belongs to a parameter, in the parameter's shape.</summary>
    /// <param name="parameter">A parameter of this arena.</param>
    /// <exception cref="KeyNotFoundException">The parameter is not of this arena.</exception>
    public Tensor GradientOf(Tensor parameter) => _gradients[parameter.Handle];

    /// <summary>Sets the accumulated gradient to zero, for the next window.</summary>
    public void ZeroGradients() => Gradients.zero_();

    /// <summary>Frees the buffers' handles; parameters keep the memory that they view.</summary>
    public void Dispose()
    {
        foreach (Tensor gradient in _gradients.Values)
            gradient.Dispose();
        Values.Dispose();
        Gradients.Dispose();
    }

    private sealed record Slot(string Name, Parameter Parameter);
}
