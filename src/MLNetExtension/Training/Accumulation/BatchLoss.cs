namespace MLNetExtension.Training.Accumulation;

/// <summary>What a batch of micro-batches came to, on the host.</summary>
/// <param name="Sum">Summed loss of all targets, in nats.</param>
/// <param name="TargetCount">Number of targets, or their summed weights where examples are weighted; 0 where the batch holds none.</param>
/// <param name="MicroBatches">Number of micro-batches with targets.</param>
/// <param name="Objective">The quantity whose gradient was accumulated: <see cref="Mean"/>, the mean of means or the sum, by <see cref="LossNormalization"/>.</param>
/// <param name="CorrectCount">Targets that the model thinks the likeliest token; NaN where the loss does not say.</param>
/// <param name="GradientNorm">L2 norm of the gradient, before clipping.</param>
public sealed record BatchLoss(double Sum, double TargetCount, int MicroBatches, double Objective, double CorrectCount, double GradientNorm)
{
    /// <summary>Loss in nats per target token, whatever the normalisation; NaN for a batch without targets.</summary>
    public double Mean => Sum / TargetCount;

    /// <summary>Share of the targets that the model thinks the likeliest token; NaN for a batch without targets.</summary>
    public double Accuracy => CorrectCount / TargetCount;

    /// <summary>Whether loss and gradient are finite numbers.</summary>
    public bool IsFinite => double.IsFinite(Sum) && double.IsFinite(GradientNorm);
}
