using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>
/// What the forward pass of a micro-batch keeps for its backward pass: a stack, since the layer that ran last goes back first and frees what it takes.
/// </summary>
/// <param name="layout">How the micro-batch's rows are arranged.</param>
/// <param name="memory">Where layers put what they keep.</param>
/// <param name="gradientOf">Gives the sum to which the gradient of a parameter is added, in the parameter's shape; null for one that is not trained.</param>
/// <param name="keeps">False for a forward pass without a backward pass: then nothing is kept. Default true.</param>
internal sealed class Tape(SequenceLayout layout, ActivationMemory memory, Func<Tensor, Tensor?> gradientOf, bool keeps = true) : IDisposable
{
    private readonly Stack<IDisposable> _kept = [];
    private readonly Stack<ActivationMemory.Mark> _marks = [];

    /// <summary>How the micro-batch's rows are arranged.</summary>
    public SequenceLayout Layout => layout;

    /// <summary>Whether a backward pass follows.</summary>
    public bool Keeps => keeps;

    /// <summary>Starts an empty one for the same micro-batch.</summary>
    /// <param name="keeps">Whether a backward pass follows.</param>
    public Tape CreateEmpty(bool keeps) => new(layout, memory, gradientOf, keeps);

    /// <summary>Makes a matrix for a result that the backward pass will need, not initialized; without one it is valid for as long as <see cref="AllocateTemporary"/>'s.</summary>
    /// <param name="like">A tensor of its type and device.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="columns">Number of columns.</param>
    public Tensor Allocate(Tensor like, long rows, long columns) => (keeps ? memory : memory.Temporaries).Allocate(like, rows, columns);

    /// <summary>Makes a matrix, not initialized, that is valid until what was in use before it is released.</summary>
    /// <param name="like">A tensor of its type and device.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="columns">Number of columns.</param>
    public Tensor AllocateTemporary(Tensor like, long rows, long columns) => memory.Temporaries.Allocate(like, rows, columns);

    /// <summary>Releases the matrices that were made after it, when it is disposed.</summary>
    public TemporaryPart BeginTemporaries() => new(memory.Temporaries, memory.Temporaries.Position);

    /// <summary>Begins a part of the forward pass.</summary>
    public void Begin() => _marks.Push(memory.Position);

    /// <summary>Ends the backward pass of the part that was begun last: what it allocated is free again.</summary>
    public void End() => memory.Release(_marks.Pop());

    /// <summary>Keeps a tensor's memory, whatever happens to its scope.</summary>
    /// <param name="tensor">Not changed before it is taken.</param>
    public void Keep(Tensor tensor)
    {
        if (keeps)
            _kept.Push(tensor.alias().DetachFromDisposeScope());
    }

    /// <summary>Keeps the values of a tensor whose memory is about to be used again.</summary>
    /// <param name="tensor">Contiguous.</param>
    public void KeepCopy(Tensor tensor) => Keep(Allocate(tensor, tensor.numel() / tensor.shape[^1], tensor.shape[^1]).view(tensor.shape).copy_(tensor));

    /// <summary>Keeps what the backward pass of attention needs.</summary>
    /// <param name="attention">Computed in the present scope.</param>
    public void Keep(RowAttention attention)
    {
        if (!keeps)
            return;
        foreach (Tensor tensor in attention.Kept)
            tensor.DetachFromDisposeScope();
        _kept.Push(attention);
    }

    /// <summary>Takes the tensor that was kept last; the caller disposes it.</summary>
    public Tensor Take() => Take<Tensor>();

    /// <summary>Takes what was kept last; the caller disposes it.</summary>
    public T Take<T>()
        where T : IDisposable => (T)_kept.Pop();

    /// <summary>Gives the sum to which a parameter's gradient is added; null for one that is not trained.</summary>
    /// <param name="parameter">A parameter, or null where a layer has none.</param>
    public Tensor? GradientOf(Tensor? parameter) => parameter is null ? null : gradientOf(parameter);

    /// <summary>Adds a product over all positions to the gradient of a matrix: right in the sum, so that nothing of the matrix's size is made.</summary>
    /// <param name="parameter">[R,C].</param>
    /// <param name="left">[P,R].</param>
    /// <param name="right">[P,C].</param>
    public void AddProduct(Tensor parameter, Tensor left, Tensor right)
    {
        if (GradientOf(parameter) is { } sum)
            MatrixProduct.AddOuter(sum, left, right);
    }

    /// <summary>Adds a sum over all positions to the gradient of a vector.</summary>
    /// <param name="parameter">[C], or null where a layer has none.</param>
    /// <param name="values">[P,C].</param>
    public void AddSum(Tensor? parameter, Tensor values)
    {
        if (GradientOf(parameter) is { } sum)
            sum.add_(values.sum(0, type: sum.dtype), Scalars.One);
    }

    /// <summary>A part of a pass, whose matrices are released with it.</summary>
    /// <param name="Memory">Where they are.</param>
    /// <param name="Start">The end of what was in use before.</param>
    public readonly record struct TemporaryPart(ActivationMemory Memory, ActivationMemory.Mark Start) : IDisposable
    {
        /// <inheritdoc/>
        public void Dispose() => Memory.Release(Start);
    }

    /// <summary>Frees what has not been taken.</summary>
    public void Dispose()
    {
        while (_kept.TryPop(out IDisposable? kept))
            kept.Dispose();
    }
}
