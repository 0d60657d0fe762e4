using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>
/// x + dropout(layer(norm(x))), with a backward pass written by hand. Of the norm only x is kept, which the layer before has made anyway: the norm is computed again. P positions, C width.
/// </summary>
/// <param name="Norm">The norm.</param>
/// <param name="Layer">The layer, C to C.</param>
/// <param name="Dropout">Dropout of what is added to x; null for none.</param>
internal sealed record ResidualBranch(INorm Norm, IBackwardLayer Layer, SeededDropout? Dropout = null)
{
    /// <summary>[P,C] to [P,C].</summary>
    /// <param name="input">x.</param>
    /// <param name="tape">Keeps what the backward pass needs.</param>
    public Tensor Forward(Tensor input, Tape tape)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        tape.Begin();
        Tensor output = Layer.Forward(Norm.Apply(input), tape);
        if (Dropout is { IsActive: true })
            output = Dropout.Forward(output, tape);
        tape.Keep(input);
        return output.add_(input).MoveToOuterDisposeScope();
    }

    /// <summary>Adds the gradients of the parameters and computes that of x.</summary>
    /// <param name="gradient">Of the result, [P,C]; its memory is used again.</param>
    /// <param name="tape">What the forward pass kept.</param>
    public Tensor Backward(Tensor gradient, Tape tape)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using Tensor input = tape.Take();
        Tensor outputGradient = Dropout is { IsActive: true } ? Dropout.Backward(gradient, tape) : gradient;
        LayerPass norm = Norm.Run(input, tape);
        Tensor normGradient = Layer.Backward(outputGradient, norm.Output, tape);
        gradient.add_(norm.Backward(normGradient));
        tape.End();
        return gradient.alias().MoveToOuterDisposeScope();
    }
}
