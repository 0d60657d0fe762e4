using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>Root mean square norm (Zhang and Sennrich 2019): x / sqrt(mean(x^2) + epsilon), times a weight for each coordinate.</summary>
internal sealed class RmsNorm : nn.Module<Tensor, Tensor>
{
    private readonly double _epsilon;
    private readonly Parameter weight;

    public RmsNorm(long width, double epsilon, ScalarType dtype)
        : base(nameof(RmsNorm))
    {
        _epsilon = epsilon;
        weight = nn.Parameter(ones(width, dtype: dtype));
        RegisterComponents();
    }

    /// <summary>[...,C] to [...,C].</summary>
    /// <param name="input">Any number of vectors.</param>
    public override Tensor forward(Tensor input) => Normalize(input, _epsilon) * weight;

    /// <summary>The weight, [C].</summary>
    public Tensor Weight => weight;

    /// <summary>Normalizes without the weight, in float32 or better: squares of half-precision numbers overflow or lose all digits.</summary>
    public static Tensor Normalize(Tensor input, double epsilon)
    {
        Tensor wide = input.Widen();
        // Computed from the vector's length, so that the only large tensors are the result and, in the backward pass, its gradient.
        Tensor length = wide.norm(-1, keepdim: true);                                                 // [...,1]
        Tensor scale = (length.square() * (1.0 / input.shape[^1]) + epsilon).rsqrt();
        return (wide * scale).to(input.dtype);
    }
}
