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

    /// <summary>Applies the function to each element, [P,F] to [P,F].</summary>
    /// <param name="activation">The function.</param>
    /// <param name="input">x, [P,F].</param>
    /// <param name="tape">Has memory for the result, which is a temporary of it.</param>
    public static Tensor Apply(this Activation activation, Tensor input, Tape tape) => TryCompute(WideActivation.Apply, activation, input, input.shape[^1], tape) ?? activation.Apply(input);

    /// <summary>Applies the function to each element, [P,F] to [P,F], so that its backward pass can follow.</summary>
    /// <param name="activation">The function.</param>
    /// <param name="input">x, [P,F]; its memory is used for the slopes.</param>
    /// <param name="tape">Has memory for the result, which is a temporary of it.</param>
    public static LayerPass Run(this Activation activation, Tensor input, Tape tape) => TryCompute(WideActivation.Differentiate, activation, input, input.shape[^1], tape) is { } output
        ? new LayerPass(output, gradient => gradient.mul_(input))
        : LayerPass.ByAutograd(input, x => activation.Apply(x));

    /// <summary>Applies the function to gates and multiplies by the rest, a(g) u, [P,2F] to [P,F].</summary>
    /// <param name="activation">a.</param>
    /// <param name="both">g and u beside one another, [P,2F].</param>
    /// <param name="tape">Has memory for the result, which is a temporary of it.</param>
    public static Tensor ApplyGated(this Activation activation, Tensor both, Tape tape)
    {
        if (TryCompute(WideActivation.Apply, activation, both, both.shape[^1] / 2, tape) is { } output)
            return output;
        Tensor[] gateAndUp = both.chunk(2, -1);
        return activation.Apply(gateAndUp[0]).mul_(gateAndUp[1]);
    }

    /// <summary>Applies the function to gates and multiplies by the rest, a(g) u, [P,2F] to [P,F], so that a backward pass can follow, which gives [P,2F].</summary>
    /// <param name="activation">a.</param>
    /// <param name="both">g and u beside one another, [P,2F]; their memory is used for the gradient.</param>
    /// <param name="tape">Has memory for the result, which is a temporary of it.</param>
    public static LayerPass RunGated(this Activation activation, Tensor both, Tape tape)
    {
        Tensor[] gateAndUp = both.chunk(2, -1);
        if (TryCompute(WideActivation.Differentiate, activation, both, both.shape[^1] / 2, tape) is { } output)
        {
            return new LayerPass(output, gradient =>
            {
                gateAndUp[0].mul_(gradient);
                gateAndUp[1].mul_(gradient);
                return both;
            });
        }
        LayerPass gate = LayerPass.ByAutograd(gateAndUp[0], x => activation.Apply(x));
        return new LayerPass(gate.Output * gateAndUp[1], gradient =>
        {
            Tensor gateGradient = gate.Backward(gradient * gateAndUp[1]);
            gateAndUp[0].copy_(gateGradient);
            gateAndUp[1].copy_(gradient.mul_(gate.Output));
            return both;
        });
    }

    private static Tensor? TryCompute(Action<Activation, Tensor, Tensor> compute, Activation activation, Tensor input, long width, Tape tape)
    {
        if (!WideActivation.Suits(input))
            return null;
        Tensor output = tape.AllocateTemporary(input, input.shape[0], width);
        compute(activation, output, input);
        return output;
    }
}
