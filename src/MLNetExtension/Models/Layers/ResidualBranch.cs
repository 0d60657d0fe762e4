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
    /// <param name="input">x; where the tape keeps nothing, its memory is used for the result.</param>
    /// <param name="tape">Keeps what the backward pass needs.</param>
    public Tensor Forward(Tensor input, Tape tape)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using Tape.TemporaryPart temporaries = tape.BeginTemporaries();
        tape.Begin();
        Tensor output = Layer.Forward(Norm?.Apply(input, tape) ?? input, tape), sum = output;
        if (OutputNorm is not null)
        {
            tape.Keep(output);
            (output, sum) = (OutputNorm.Apply(output, tape), tape.Allocate(input, input.shape[0], input.shape[1]));
        }
        if (Dropout is { IsActive: true })
            output = Dropout.Forward(output, tape);
        tape.Keep(input);
        if (!tape.Keeps)
            return input.add_(output, Scalars.One).alias().MoveToOuterDisposeScope();
        if (!ReferenceEquals(sum, output))
            sum.copy_(output);
        return sum.add_(input, Scalars.One).MoveToOuterDisposeScope();
    }

    /// <summary>Adds the gradients of the parameters and computes that of x.</summary>
    /// <param name="gradient">Of the result, [P,C]; its memory is used again.</param>
    /// <param name="tape">What the forward pass kept.</param>
    public Tensor Backward(Tensor gradient, Tape tape)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using Tape.TemporaryPart temporaries = tape.BeginTemporaries();
        using Tensor input = tape.Take();
        Tensor outputGradient = Dropout is { IsActive: true } ? Dropout.Backward(gradient, tape) : gradient;
        if (OutputNorm is not null)
        {
            using Tensor output = tape.Take();
            Tensor copy = tape.AllocateTemporary(gradient, gradient.shape[0], gradient.shape[1]).copy_(outputGradient);    // the norm uses the memory, and x has the same gradient
            outputGradient = OutputNorm.Run(output, tape).Backward(copy);
        }
        LayerPass? norm = Norm?.Run(input, tape);
        Tensor layerGradient = Layer.Backward(outputGradient, norm?.Output ?? input, tape);
        gradient.add_(norm?.Backward(layerGradient) ?? layerGradient, Scalars.One);
        tape.End();
        return gradient.alias().MoveToOuterDisposeScope();
    }
}
