using TorchSharp.Modules;
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
    /// <summary>Applies the function to each element.</summary>
    public static Tensor Apply(this Activation activation, Tensor input) => activation switch
    {
        Activation.Gelu => nn.functional.gelu(input),
        Activation.GeluTanh => input.gelu(GELU.Approximate.tanh),
        Activation.Silu => nn.functional.silu(input),
        Activation.Relu => nn.functional.relu(input),
        _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "This is not an activation."),
    };

    /// <summary>Applies the function to each element so that its backward pass can follow.</summary>
    public static LayerPass Run(this Activation activation, Tensor input) => LayerPass.ByAutograd(input, x => activation.Apply(x));
}
