using static TorchSharp.torch;

namespace MLNetExtension.Training.Ranks.Mpi;

/// <summary>The memory of a tensor as MPI sees it: of the tensor itself on the CPU, of a copy that goes back when disposed of elsewhere.</summary>
internal readonly struct TensorMemory : IDisposable
{
    private readonly Tensor _tensor;
    private readonly Tensor? _copy;

    /// <summary>Opens the memory of a tensor.</summary>
    /// <param name="tensor">Contiguous.</param>
    public TensorMemory(Tensor tensor)
    {
        _tensor = tensor;
        _copy = tensor.device_type == TorchSharp.DeviceType.CPU ? null : tensor.cpu();
        ElementSize = (int)tensor.ElementSize;
        Address = FindAddress(_copy ?? tensor);
    }

    /// <summary>Where the first element lies; 0 if there is none.</summary>
    public nint Address { get; }

    /// <summary>The bytes of an element.</summary>
    public int ElementSize { get; }

    /// <summary>Finds where an element lies.</summary>
    public nint At(long element) => Address + (nint)(element * ElementSize);

    /// <summary>Takes what MPI has written back to the tensor's device.</summary>
    public void Dispose()
    {
        if (_copy is null)
            return;
        using (no_grad())
            _tensor.copy_(_copy);
        _copy.Dispose();
    }

    private static unsafe nint FindAddress(Tensor tensor)
    {
        if (tensor.numel() == 0)
            return 0;
        // Of one element: a span of the whole would end at 2 GiB.
        using Tensor detached = tensor.detach(), flat = detached.view(-1), first = flat.narrow(0, 0, 1);
        fixed (byte* address = first.bytes)
            return (nint)address;
    }
}
