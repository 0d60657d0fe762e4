using static TorchSharp.torch;

namespace MLNetExtension.Losses;

/// <summary>What a teacher's head reads at the targets of a micro-batch: N targets, C the teacher's width, V its vocabulary.</summary>
/// <param name="Hidden">Hidden states, [N,C], without a gradient.</param>
/// <param name="HeadWeight">The head's weight, [V,C]; null where the hidden states are the logits, [N,V].</param>
/// <param name="LogitCap">See <see cref="TokenTargets.LogitCap"/>.</param>
internal sealed record TeacherStates(Tensor Hidden, Tensor? HeadWeight, double? LogitCap);

/// <summary>
/// Distillation in chunks of targets: the cross entropy of the targets and the divergence of the student's distribution from a teacher's at the same targets. Neither's [N,V] logits are ever whole.
/// N targets, n of them in a chunk, V vocabulary.
/// </summary>
/// <remarks>
/// For the student's logits z, the teacher's t, share a and temperature T a target costs <c>(1 - a) CE(z, y) + a T^2 D(softmax(t / T), softmax(z / T))</c>. The square keeps the size of the gradient
/// whatever T (Hinton et al. 2015, section 2.1). The divergence is over the ids that both have: the vocabularies of published models of one tokenizer are rounded up differently.
/// </remarks>
/// <param name="divergence">D.</param>
/// <param name="share">a, above 0 and at most 1.</param>
/// <param name="temperature">T, above 0.</param>
/// <param name="chunkTokens">Targets handled at a time. Default null: as many as suit the device.</param>
internal sealed class LinearDistillation(Divergence divergence, double share, double temperature, int? chunkTokens = null) : ITokenLoss
{
    /// <inheritdoc/>
    public LossSum Backward(TokenTargets targets, TokenGradients gradients)
    {
        using var _ = no_grad();
        TeacherStates teacher = targets.Teacher!;
        Tensor sum = zeros([], dtype: float64, device: targets.Hidden.device);
        Tensor correct = zeros_like(sum);
        LogitChunks.ForEach(targets, chunkTokens, (start, h, y, logits) =>
        {
            Tensor? weights = targets.Weights?.narrow(0, start, y.shape[0]).unsqueeze(1);                   // [n,1] float64
            correct.add_(LogitChunks.Sum(LogitChunks.Hits(logits, y, logits.gather(1, y).eq(logits.amax([1], keepdim: true))).to(float64), weights), Scalars.One);
            Tensor? slope = LogitChunks.CapSlope(logits, targets.LogitCap);                                 // [n,V]

            (Tensor losses, Tensor gradient) = Compare(logits, TeacherLogits(teacher, start, logits));
            if (share < 1)
                AddCrossEntropy(logits, y, losses, gradient);
            sum.add_(LogitChunks.Sum(losses, weights), Scalars.One);

            gradient.mul_((weights?.mul(Scalars.Of(gradients.Scale)) ?? full(y.shape, Scalars.Of(gradients.Scale), dtype: float64, device: y.device)).to(gradient.dtype));
            LogitChunks.AddGradients(slope is null ? gradient : gradient.mul_(slope), start, h, targets.HeadWeight, gradients);
        });
        return new LossSum(sum, targets.TargetCount, correct);
    }

    // [n,V], of the teacher's vocabulary and the student's type.
    private static Tensor TeacherLogits(TeacherStates teacher, long start, Tensor student) =>
        LogitChunks.ComputeLogits(teacher.Hidden.narrow(0, start, student.shape[0]), teacher.HeadWeight, teacher.LogitCap).to(student.dtype);

    // The teacher's part: losses, [n,1] float64, and their derivative by the logits, [n,V].
    private (Tensor Losses, Tensor Gradient) Compare(Tensor logits, Tensor teacherLogits)
    {
        long both = Math.Min(logits.shape[1], teacherLogits.shape[1]);
        (Tensor nats, Tensor slope) = divergence.Compare(LogProbabilities(logits, both), LogProbabilities(teacherLogits, both));
        slope.mul_(Scalars.Of(share * temperature));                                                                    // of z / T, times T^2
        if (both < logits.shape[1])
            slope = nn.functional.pad(slope, [0, logits.shape[1] - both]);
        return (nats.mul_(Scalars.Of(share * temperature * temperature)), slope);
    }

    private Tensor LogProbabilities(Tensor logits, long count) => (logits.narrow(1, 0, count) / Scalars.Of(temperature)).log_softmax(1);

    private void AddCrossEntropy(Tensor logits, Tensor y, Tensor losses, Tensor gradient)
    {
        Tensor logProbabilities = logits.log_softmax(1);                                                    // [n,V]
        losses.sub_(logProbabilities.gather(1, y).to(float64) * Scalars.Of(1 - share));
        gradient.add_(logProbabilities.exp_(), Scalars.Of(1 - share)).scatter_add_(1, y, full(y.shape, Scalars.Of(share - 1), dtype: gradient.dtype, device: gradient.device));
    }
}
