namespace MLNetExtension.Training.Optimization;

/// <summary>Linear warm-up, then cosine decay to a floor (Loshchilov and Hutter 2017, "SGDR"); a pure function of where training stands.</summary>
/// <param name="peak">Learning rate at the end of the warm-up.</param>
/// <param name="minimum">Learning rate at the end of training.</param>
/// <param name="warmupSteps">Steps of the warm-up, 0 for none.</param>
internal sealed class LearningRateSchedule(double peak, double minimum, int warmupSteps)
{
    /// <summary>Gives the learning rate of a step.</summary>
    /// <param name="step">The step, from 0.</param>
    /// <param name="progress">Share of the training that is done before this step, 0 to 1: of steps, or of time where time is the limit.</param>
    public double LearningRate(int step, double progress)
    {
        double decayed = minimum + (peak - minimum) * (1 + Math.Cos(Math.PI * Math.Clamp(progress, 0, 1))) / 2;
        return step < warmupSteps ? decayed * (step + 1) / (warmupSteps + 1) : decayed;
    }
}
