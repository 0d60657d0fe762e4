using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>
/// x + dropout(output norm(layer(norm(x)))), with a backward pass written by hand. Of a norm only its input is kept: the norm is computed again. P positions, C width.
/// </summary>
/// <param name="Norm">The norm of the layer's input; null for none.</param>
/// <param name="Layer">The layer, C to C.</param>
/// <param name="Dropout">Dropout of what is added to x; null for none.</param>
/// <param name="OutputNorm">The norm of the layer's result; null for none.</param>
internal sealed record ResidualBranch(INorm? Norm, IBackwardLayer Layer, SeededDropout? Dropout = null, INorm? OutputNorm = null)
{
    /// <summary>[P,C] to [P,C].</summary>
    /// <param name="input">x.</param>
    /// <param name="tape">Keeps what the backward pass needs.</param>
    public Tensor Forward(Tensor input, Tape tape)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        tape.Begin();
        Tensor output = Layer.Forward(Norm?.Apply(input) ?? input, tape);
        if (OutputNorm is not null)
        {
            tape.Keep(output);
            output = OutputNorm.Apply(output);
        }
        if (Dropout is { IsActive: true })
            output = Dropout.Forward(output, tape);
        tape.Keep(input);
        return output.add_(input, Scalars.One).MoveToOuterDisposeScope();
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
        if (OutputNorm is not null)
        {
            using Tensor output = tape.Take();
            outputGradient = OutputNorm.Run(output, tape).Backward(outputGradient.clone());    // the norm uses the memory, and x has the same gradient
        }
        LayerPass? norm = Norm?.Run(input, tape);
        Tensor layerGradient = Layer.Backward(outputGradient, norm?.Output ?? input, tape);
        gradient.add_(norm?.Backward(layerGradient) ?? layerGradient, Scalars.One);
        tape.End();
        return gradient.alias().MoveToOuterDisposeScope();
    }
}
