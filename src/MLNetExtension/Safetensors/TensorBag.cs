using static TorchSharp.torch;

namespace MLNetExtension.Safetensors;

/// <summary>Tensors under names, as a module, so that <see cref="ModuleWeights"/> writes and reads them as it does the weights of a model: where they lie, without a copy.</summary>
internal sealed class TensorBag : nn.Module
{
    /// <param name="tensors">Stay their owner's: the bag holds handles of its own to the same memory.</param>
    public TensorBag(IEnumerable<(string Name, Tensor Tensor)> tensors)
        : base(nameof(TensorBag))
    {
        foreach (var (name, tensor) in tensors)
            register_buffer(name, tensor.alias().DetachFromDisposeScope());
    }
}
