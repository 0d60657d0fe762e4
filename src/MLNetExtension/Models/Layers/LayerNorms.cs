using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>Layer norms (Ba, Kiros and Hinton 2016) whose gradients are exact sums.</summary>
internal static class LayerNorms
{
    /// <summary>[...,C] to [...,C].</summary>
    /// <remarks>In float32 where the model computes in half precision: libtorch's kernel for the CPU adds the gradients of the weight and the bias over all positions in the input's type.</remarks>
    /// <param name="norm">The layer, over the last dimension.</param>
    /// <param name="input">Any number of vectors.</param>
    /// <param name="epsilon">The layer's own.</param>
    public static Tensor Apply(this LayerNorm norm, Tensor input, double epsilon) => !input.dtype.IsHalf() ? norm.call(input)
        : nn.functional.layer_norm(input.Widen(), [input.shape[^1]], norm.weight.Widen(), norm.bias?.Widen(), epsilon).to(input.dtype);

    /// <summary>Views the layer as a norm of a residual branch.</summary>
    /// <param name="norm">The layer.</param>
    /// <param name="epsilon">The layer's own.</param>
    public static INorm ToNorm(this LayerNorm norm, double epsilon) => new Norm(norm, epsilon);

    private sealed class Norm(LayerNorm norm, double epsilon) : INorm
    {
        private NormRule Rule => new(norm.weight!, norm.bias, epsilon, Centers: true);

        public Tensor Apply(Tensor input, Tape tape) => Rule.TryApply(input, tape) ?? norm.Apply(input, epsilon);

        public LayerPass Run(Tensor input, Tape tape) => Rule.TryRun(input, tape) ?? LayerPass.ByAutograd(input, x => norm.Apply(x, epsilon));
    }
}
