using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>
/// A layer with a backward pass written by hand, which keeps less than automatic differentiation does: what is cheap to compute again is not kept. P positions.
/// </summary>
internal interface IBackwardLayer
{
    /// <summary>Computes the layer, [P,C] to [P,R], without a gradient.</summary>
    /// <param name="input">[P,C]; not kept.</param>
    /// <param name="tape">Keeps what the backward pass needs.</param>
    /// <returns>A tensor with memory of its own.</returns>
    Tensor Forward(Tensor input, Tape tape);

    /// <summary>Adds the gradients of the layer's parameters and computes that of its input.</summary>
    /// <param name="gradient">Of the result, [P,R].</param>
    /// <param name="input">What the layer was computed from, [P,C].</param>
    /// <param name="tape">What the forward pass kept.</param>
    /// <returns>The gradient of the input, [P,C], with memory of its own.</returns>
    Tensor Backward(Tensor gradient, Tensor input, Tape tape);
}
