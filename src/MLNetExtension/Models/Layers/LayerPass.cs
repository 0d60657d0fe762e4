using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>A norm or an activation that has been computed and can go back.</summary>
/// <param name="Output">Its values.</param>
/// <param name="Backward">Adds the gradient of the layer's parameters and computes that of its input, from that of its output, whose memory it may use.</param>
internal sealed record LayerPass(Tensor Output, Func<Tensor, Tensor> Backward)
{
    /// <summary>Computes a layer whose backward pass is libtorch's own.</summary>
    /// <param name="input">Its memory stays as it is until then.</param>
    /// <param name="layer">The layer.</param>
    public static LayerPass ByAutograd(Tensor input, Func<Tensor, Tensor> layer)
    {
        using var _ = enable_grad();
        Tensor leaf = input.detach().requires_grad_(), output = layer(leaf);
        return new LayerPass(output.detach(), gradient =>
        {
            output.backward([gradient]);
            return leaf.grad!;
        });
    }
}
