using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>A norm or an activation that has been computed and can go back.</summary>
/// <param name="Output">Its values.</param>
/// <param name="Backward">Adds the gradient of the layer's parameters and computes that of its input, from that of its output, whose memory it may use.</param>
internal sealed record LayerPass(Tensor Output, Func<Tensor, Tensor> Backward)
{
    /// <summary>Computes a norm by <see cref="WideNorm"/>, where that can.</summary>
    /// <param name="rule">The norm.</param>
    /// <param name="input">[P,C].</param>
    /// <param name="tape">Has memory for the result.</param>
    public static Tensor? TryApply(NormRule rule, Tensor input, Tape tape)
    {
        if (!WideNorm.Suits(input, rule))
            return null;
        Tensor output = tape.AllocateTemporary(input, input.shape[0], input.shape[1]);
        WideNorm.Apply(output, input, rule);
        return output;
    }

    /// <summary>Computes a norm that can go back by <see cref="WideNorm"/>, where that can.</summary>
    /// <param name="rule">The norm.</param>
    /// <param name="input">[P,C]; its memory stays as it is until then.</param>
    /// <param name="tape">Has memory for the result, and knows the sums to which the parameters' gradients are added.</param>
    public static LayerPass? TryRun(NormRule rule, Tensor input, Tape tape)
    {
        if (TryApply(rule, input, tape) is not { } output)
            return null;
        return new LayerPass(output, gradient =>
        {
            bool isTrained = tape.GradientOf(rule.Weight) is not null || tape.GradientOf(rule.Bias) is not null;
            long parts = WideNorm.CountSums(input);
            Tensor? sums = isTrained ? tape.AllocateTemporary(input, 2 * parts, input.shape[1]) : null;
            WideNorm.Backward(gradient, input, rule, sums);
            if (sums is not null)
            {
                tape.AddSum(rule.Weight, sums.narrow(0, 0, parts));
                tape.AddSum(rule.Bias, sums.narrow(0, parts, parts));
            }
            return gradient;
        });
    }

    /// <summary>Computes a layer whose backward pass is libtorch's own.</summary>
    /// <param name="input">Its memory stays as it is until then.</param>
    /// <param name="layer">The layer.</param>
    public static LayerPass ByAutograd(Tensor input, Func<Tensor, Tensor> layer)
    {
        using var _ = enable_grad();
        Tensor leaf = input.detach().requires_grad_(), output = layer(leaf);
        return new LayerPass(output.detach(), gradient =>
        {
            output.backward([gradient]);
            return leaf.grad!;
        });
    }
}
