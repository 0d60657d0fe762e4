using MLNetExtension.Models.Layers;
using static TorchSharp.torch;

namespace MLNetExtension.Losses;

/// <summary>What a loss sees of a micro-batch: N targets, C width, V vocabulary.</summary>
/// <param name="Hidden">Hidden states at the targets, [N,C]; detached.</param>
/// <param name="HeadWeight">The head's weight, [V,C]; null where the hidden states are the logits, [N,V].</param>
/// <param name="Targets">Target ids, [N] int64.</param>
/// <param name="Weights">Weight of each target, [N] float64; null where all are 1.</param>
/// <param name="TargetCount">Summed weights: N where all are 1.</param>
public sealed record TokenTargets(Tensor Hidden, Tensor? HeadWeight, Tensor Targets, Tensor? Weights, double TargetCount)
{
    /// <summary>c, where the product z of a hidden state and the head becomes the logit c tanh(z / c), as in Gemma 2; null where it is the logit. Default null. A number above 0.</summary>
    public double? LogitCap { get; init; }

    /// <summary>Where logits of a chunk are put; null for tensors of their own.</summary>
    internal ActivationMemory? Memory { get; init; }

    /// <summary>What the head of a teacher reads at the same targets; null where there is no teacher.</summary>
    internal TeacherStates? Teacher { get; init; }
}

/// <summary>Where a loss adds its gradient.</summary>
/// <param name="Hidden">Buffer of the gradient by the hidden states, [N,C].</param>
/// <param name="HeadWeight">Buffer of the gradient by the head's weight, [V,C], float32 where the head is in half precision, whose sums lose what is small; null where that is not trained.</param>
/// <param name="Scale">What the gradient of the sum, not the sum, is multiplied by.</param>
public sealed record TokenGradients(Tensor Hidden, Tensor? HeadWeight, double Scale);

/// <summary>A loss over targets. It returns a sum and a count, so exact accumulation holds by construction.</summary>
public interface ITokenLoss
{
    /// <summary>Sums the loss over the targets and adds the scaled gradient of the sum to the buffers.</summary>
    /// <param name="targets">What the loss is of.</param>
    /// <param name="gradients">Where the gradient goes.</param>
    /// <returns>The unscaled sum and its count. The caller owns the tensors.</returns>
    LossSum Backward(TokenTargets targets, TokenGradients gradients);
}
