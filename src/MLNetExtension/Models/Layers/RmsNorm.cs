using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>Root mean square norm (Zhang and Sennrich 2019): x / sqrt(mean(x^2) + epsilon), times a weight for each coordinate.</summary>
internal sealed class RmsNorm : nn.Module<Tensor, Tensor>, INorm
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

    /// <inheritdoc/>
    public Tensor Apply(Tensor input) => Normalize(input, _epsilon).mul_(weight);

    /// <inheritdoc/>
    public LayerPass Run(Tensor input, Tape tape)
    {
        Tensor scale = Scale(input.Widen(), _epsilon), normalized = input.Widen() * scale;
        return new LayerPass(normalized.to(input.dtype) * weight, gradient =>
        {
            Tensor wide = gradient.Widen();
            tape.AddSum(weight, wide * normalized);
            return Backward(wide.mul_(weight), normalized, scale).to(input.dtype);
        });
    }

    /// <summary>Normalizes without the weight, in float32 or better: squares of half-precision numbers overflow or lose all digits.</summary>
    public static Tensor Normalize(Tensor input, double epsilon)
    {
        Tensor wide = input.Widen();
        return (wide * Scale(wide, epsilon)).to(input.dtype);
    }

    /// <summary>The factor by which each vector is normalized, [...,1].</summary>
    /// <param name="input">[...,C], float32 or better.</param>
    /// <param name="epsilon">Added to the mean square.</param>
    public static Tensor Scale(Tensor input, double epsilon)
    {
        // Computed from the vector's length, so that the only large tensors are the result and, in the backward pass, its gradient.
        Tensor length = input.norm(-1, keepdim: true);
        return (length.square() * (1.0 / input.shape[^1]) + epsilon).rsqrt();
    }

    /// <summary>Computes the gradient of the input: (g - n mean(g n)) scale, for the gradient g of the normalized vectors n.</summary>
    /// <param name="gradient">g, [...,C], float32 or better; its memory is used again.</param>
    /// <param name="normalized">n, [...,C].</param>
    /// <param name="scale">[...,1].</param>
    public static Tensor Backward(Tensor gradient, Tensor normalized, Tensor scale)
    {
        Tensor mean = (gradient * normalized).mean([-1], keepdim: true);
        return gradient.addcmul_(normalized, mean, -1).mul_(scale);
    }
}
