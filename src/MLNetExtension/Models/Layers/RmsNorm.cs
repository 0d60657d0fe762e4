using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>Root mean square norm (Zhang and Sennrich 2019): x / sqrt(mean(x^2) + epsilon), times a factor for each coordinate: the weight, or 1 + weight.</summary>
internal sealed class RmsNorm : nn.Module<Tensor, Tensor>, INorm
{
    private readonly double _epsilon;
    private readonly bool _addsOne;
    private readonly Parameter weight;

    /// <summary>Creates a norm whose factors are 1.</summary>
    /// <param name="width">C.</param>
    /// <param name="epsilon">Added to the mean square.</param>
    /// <param name="addsOne">Whether the factor is 1 + weight.</param>
    /// <param name="dtype">Type of the weight.</param>
    public RmsNorm(long width, double epsilon, bool addsOne, ScalarType dtype)
        : base(nameof(RmsNorm))
    {
        (_epsilon, _addsOne) = (epsilon, addsOne);
        weight = nn.Parameter(addsOne ? zeros(width, dtype: dtype) : ones(width, dtype: dtype));
        RegisterComponents();
    }

    /// <summary>C.</summary>
    public long Width => weight.shape[0];

    /// <summary>[...,C] to [...,C].</summary>
    /// <param name="input">Any number of vectors.</param>
    public override Tensor forward(Tensor input) => _addsOne ? MultiplyByOneMore(input) : Normalize(input, _epsilon) * weight;

    private NormRule Rule => new(weight, Bias: null, _epsilon, Centers: false, _addsOne);

    /// <inheritdoc/>
    public Tensor Apply(Tensor input, Tape tape) => Rule.TryApply(input, tape) ?? (_addsOne ? MultiplyByOneMore(input) : Normalize(input, _epsilon).mul_(weight));

    /// <inheritdoc/>
    public LayerPass Run(Tensor input, Tape tape)
    {
        if (Rule.TryRun(input, tape) is { } pass)
            return pass;
        Tensor scale = Scale(input.Widen(), _epsilon), normalized = input.Widen() * scale, factor = _addsOne ? weight.Widen().Plus(1) : weight;
        return new LayerPass(_addsOne ? (normalized * factor).to(input.dtype) : normalized.to(input.dtype) * factor, gradient =>
        {
            Tensor wide = gradient.Widen();
            tape.AddSum(weight, wide * normalized);
            return Backward(wide.mul_(factor), normalized, scale).to(input.dtype);
        });
    }

    // In float32 or better, and rounded once: near 1 half precision has two digits, and the weight of such a norm is small.
    private Tensor MultiplyByOneMore(Tensor input)
    {
        Tensor wide = input.Widen();
        return (wide * Scale(wide, _epsilon) * weight.Widen().Plus(1)).to(input.dtype);
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
        return (length.pow(Scalars.Two) * Scalars.Of(1.0 / input.shape[^1])).Plus(epsilon).rsqrt();
    }

    /// <summary>Computes the gradient of the input: (g - n mean(g n)) scale, for the gradient g of the normalized vectors n.</summary>
    /// <param name="gradient">g, [...,C], float32 or better; its memory is used again.</param>
    /// <param name="normalized">n, [...,C].</param>
    /// <param name="scale">[...,1].</param>
    public static Tensor Backward(Tensor gradient, Tensor normalized, Tensor scale)
    {
        Tensor mean = (gradient * normalized).mean([-1], keepdim: true);
        return gradient.addcmul_(normalized, mean, Scalars.Of(-1)).mul_(scale);
    }
}
