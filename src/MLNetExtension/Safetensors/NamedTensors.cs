using static TorchSharp.torch;

namespace MLNetExtension.Safetensors;

/// <summary>Named tensors as a module, so that <see cref="ModuleWeights"/> saves and loads them like the weights of a model, without a copy.</summary>
internal sealed class NamedTensors : nn.Module
{
    /// <param name="tensors">Names and tensors. The caller keeps the tensors; the module holds aliases of the same memory.</param>
    public NamedTensors(IEnumerable<(string Name, Tensor Tensor)> tensors)
        : base(nameof(NamedTensors))
    {
        foreach (var (name, tensor) in tensors)
            register_buffer(name, tensor.alias().DetachFromDisposeScope());
    }
}
