namespace MLNetExtension.Training.Optimization;

/// <summary>A linear warm-up to the peak, then a fall to a floor, see <see cref="ScheduleShape"/>; a pure function of where training stands.</summary>
/// <remarks>
/// <para>W warm-up steps, step s from 0, share p of the training that is done before it. In the warm-up the rate is peak (s + 1) / W; after it it follows from d = p (s - W) / (s - p W), the share of the steps
/// after the warm-up that is done. Of N steps p is s / N and d is (s - W) / (N - W): for a cosine the rates of <c>get_cosine_schedule_with_warmup</c> of Hugging Face's
/// transformers, but that its warm-up is one step behind: it begins with a step of rate 0.</para>
/// <para>Where time is the limit, s / p is how many steps the training has time for at the pace so far, and takes the place of N: decay begins at the peak when the warm-up ends, and ends with the time. A warm-up that
/// is a share w of the time has the rate peak p / w, and after it d is (p - w) / (1 - w).</para>
/// </remarks>
/// <param name="options">Shape and shares.</param>
/// <param name="peak">Learning rate at the end of the warm-up.</param>
/// <param name="steps">Steps of the training; null where only time ends it.</param>
internal sealed class LearningRateSchedule(ScheduleOptions options, double peak, long? steps)
{
    private readonly double _floor = peak * options.MinimumLearningRateRatio;
    private readonly int? _warmupSteps = options.GetWarmupSteps(steps);

    /// <summary>Gives the learning rate of a step.</summary>
    /// <param name="step">s.</param>
    /// <param name="progress">p, 0 to 1: of steps, or of time where time is the limit.</param>
    public double LearningRate(int step, double progress)
    {
        progress = Math.Min(progress, 1);
        double warmup = WarmupDone(step, progress);
        return warmup <= 1 ? peak * warmup : Decayed(step, progress);
    }

    // 1 in the last step of the warm-up, more after it.
    private double WarmupDone(int step, double progress) => _warmupSteps is { } warmupSteps ? (step + 1.0) / warmupSteps : progress / options.WarmupShare!.Value;

    private double Decayed(int step, double progress) => options.Shape switch
    {
        ScheduleShape.Cosine => _floor + (peak - _floor) * (1 + Math.Cos(Math.PI * DecayDone(step, progress))) / 2,
        ScheduleShape.Linear => peak - (peak - _floor) * DecayDone(step, progress),
        ScheduleShape.WarmupStableDecay => peak - (peak - _floor) * Math.Clamp((progress - 1 + options.DecayShare) / options.DecayShare, 0, 1),
        ScheduleShape.InverseSquareRoot => Math.Max(_floor, peak * Math.Sqrt(Math.Min(1, WarmupOf(step, progress) / (step + 1.0)))),
        _ => peak,
    };

    // d.
    private double DecayDone(int step, double progress)
    {
        if (_warmupSteps is not { } warmupSteps)
            return (progress - options.WarmupShare!.Value) / (1 - options.WarmupShare.Value);
        return step <= warmupSteps ? 0 : progress * (step - warmupSteps) / (step - progress * warmupSteps);
    }

    // W; where it is a share of the time, of the steps that there is time for.
    private double WarmupOf(int step, double progress) => Math.Max(1, _warmupSteps ?? options.WarmupShare!.Value * (step + 1) / progress);
}
