namespace MLNetExtension.Training.Optimization;

/// <summary>A linear warm-up to the peak, then half a cosine down to a floor (Loshchilov and Hutter 2017, "SGDR"); a pure function of where training stands.</summary>
/// <remarks>
/// <para>W warm-up steps, step s from 0, share p of the training that is done before it. In the warm-up the rate is peak (s + 1) / W; after it floor + (peak - floor) (1 + cos(pi d)) / 2, where
/// d = p (s - W) / (s - p W) is the share of the decay that is done. Of N steps p is s / N and d is (s - W) / (N - W): the rates of <c>get_cosine_schedule_with_warmup</c> of Hugging Face's
/// transformers, but that its warm-up is one step behind: it begins with a step of rate 0.</para>
/// <para>Where time is the limit, s / p is how many steps the training has time for at the pace so far, and takes the place of N: decay begins at the peak when the warm-up ends, and ends with the time.</para>
/// </remarks>
/// <param name="peak">Learning rate at the end of the warm-up.</param>
/// <param name="minimum">Learning rate at the end of training: the floor.</param>
/// <param name="warmupSteps">W, 0 for none.</param>
internal sealed class LearningRateSchedule(double peak, double minimum, int warmupSteps)
{
    /// <summary>Gives the learning rate of a step.</summary>
    /// <param name="step">s.</param>
    /// <param name="progress">p, 0 to 1: of steps, or of time where time is the limit.</param>
    public double LearningRate(int step, double progress)
    {
        if (step < warmupSteps)
            return peak * (step + 1.0) / warmupSteps;
        double done = step == warmupSteps ? 0 : Math.Min(progress, 1) * (step - warmupSteps) / (step - Math.Min(progress, 1) * warmupSteps);
        return minimum + (peak - minimum) * (1 + Math.Cos(Math.PI * done)) / 2;
    }
}
