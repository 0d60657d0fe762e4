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
    public override Tensor forward(Tensor input) => Unweighted(input, _epsilon) * weight;

    /// <summary>The weight, [C].</summary>
    public Tensor Weight => weight;

    /// <summary>The norm before its weight, in float32 or better: squares of half-precision numbers soon overflow or lose all digits.</summary>
    public static Tensor Unweighted(Tensor input, double epsilon)
    {
        bool half = input.dtype is ScalarType.BFloat16 or ScalarType.Float16;
        Tensor wide = half ? input.to(float32) : input;
        // By way of the length of the vector: the only large tensors made are the result and, going back, its gradient.
        Tensor length = wide.norm(-1, keepdim: true);                                                 // [...,1]
        Tensor scale = (length.square() * (1.0 / input.shape[^1]) + epsilon).rsqrt();
        Tensor normalized = wide * scale;
        return half ? normalized.to(input.dtype) : normalized;
    }
}
