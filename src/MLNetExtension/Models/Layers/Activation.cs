using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>The function between the two matrices of a feed-forward network.</summary>
internal enum Activation
{
    /// <summary>x times the normal distribution function of x (Hendrycks and Gimpel 2016).</summary>
    Gelu,

    /// <summary>GELU's approximation by a hyperbolic tangent, which GPT-2 was trained with (Hendrycks and Gimpel 2016, section 2).</summary>
    GeluTanh,

    /// <summary>x times the logistic function of x, also called swish.</summary>
    Silu,

    /// <summary>The larger of x and 0.</summary>
    Relu,
}

/// <summary>Computes an <see cref="Activation"/>.</summary>
internal static class Activations
{
    private static readonly double _geluTanhScale = 2 * Math.Sqrt(2 / Math.PI);

    /// <summary>Applies the function to each element.</summary>
    public static Tensor Apply(this Activation activation, Tensor input) => activation switch
    {
        Activation.Gelu => nn.functional.gelu(input),
        Activation.GeluTanh => GeluTanh(input),
        Activation.Silu => nn.functional.silu(input),
        Activation.Relu => nn.functional.relu(input),
        _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "This is not an activation."),
    };

    /// <summary>Applies the function to each element so that its backward pass can follow.</summary>
    public static LayerPass Run(this Activation activation, Tensor input) =>
        activation == Activation.GeluTanh ? RunGeluTanh(input) : LayerPass.ByAutograd(input, x => activation.Apply(x));

    // 0.5 (1 + tanh u) is the logistic function of 2u, so that x sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3)) is the formula in fewer steps.
    private static Tensor GeluTanh(Tensor x)
    {
        Tensor exponent = GeluTanhExponent(x);
        return is_grad_enabled() ? x * exponent.sigmoid() : exponent.sigmoid_().mul_(x);
    }

    // With u = 2 sqrt(2/pi) (x + 0.044715 x^3) and s its logistic function, the derivative of x s is s + s (1 - s) x u', where x u' = 3 u - 4 sqrt(2/pi) x.
    private static LayerPass RunGeluTanh(Tensor x)
    {
        Tensor exponent = GeluTanhExponent(x), share = exponent.sigmoid();
        return new LayerPass(x * share, gradient =>
        {
            // Beyond this s is 0 or 1 in any type; an infinite exponent would make 0 times infinity of it.
            Tensor slope = exponent.clamp_(-800, 800).mul_(3).add_(x, -2 * _geluTanhScale).mul_(share);     // s x u'
            slope.addcmul_(slope, share, -1).add_(share);
            return gradient.mul_(slope);
        });
    }

    private static Tensor GeluTanhExponent(Tensor x) => is_grad_enabled()
        ? (x.square() * (_geluTanhScale * 0.044715) + _geluTanhScale) * x
        : x.square().mul_(_geluTanhScale * 0.044715).add_(_geluTanhScale).mul_(x);
}
