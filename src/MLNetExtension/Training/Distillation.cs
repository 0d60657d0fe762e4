using MLNetExtension.Losses;
using MLNetExtension.Models;

namespace MLNetExtension.Training;

/// <summary>A teacher to learn from, beside the targets.</summary>
/// <param name="Teacher">In evaluation mode, on the device of the model that is trained, with at least its context; it stays its owner's. All workers run it at the same time.</param>
/// <param name="Divergence">What is minimized of the teacher's part.</param>
/// <param name="Share">The weight of the teacher's part, above 0 and at most 1; the rest is that of the cross entropy.</param>
/// <param name="Temperature">What the logits of both are divided by in the teacher's part, above 0.</param>
internal sealed record Distillation(CausalLanguageModel Teacher, Divergence Divergence, double Share, double Temperature)
{
    /// <summary>Creates the loss of student and teacher.</summary>
    public ITokenLoss CreateLoss() => new LinearDistillation(Divergence, Share, Temperature);
}
