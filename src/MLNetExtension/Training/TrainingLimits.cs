namespace MLNetExtension.Training;

/// <summary>How far a training has come towards the first of its limits.</summary>
internal sealed class TrainingLimits
{
    private readonly TimeSpan? _duration;

    public TrainingLimits(TrainingOptions options, int examples)
    {
        long stepsPerEpoch = (examples + options.BatchSize - 1) / options.BatchSize;
        bool unlimited = options is { MaximumSteps: null, MaximumEpochs: null, MaximumDuration: null };
        long? byEpochs = (unlimited ? 1 : options.MaximumEpochs) * stepsPerEpoch;
        Steps = byEpochs is null ? options.MaximumSteps : Math.Min(byEpochs.Value, options.MaximumSteps ?? long.MaxValue);
        _duration = options.MaximumDuration;
    }

    /// <summary>Most steps; null where time alone ends the training.</summary>
    public long? Steps { get; }

    /// <summary>Share of the training that is done, 0 to 1 and above where a step outlasted the time.</summary>
    /// <param name="steps">Steps taken.</param>
    /// <param name="elapsed">Time since training began.</param>
    public double Progress(int steps, TimeSpan elapsed) => Math.Max(Share(steps, Steps), Share(elapsed.TotalSeconds, _duration?.TotalSeconds));

    private static double Share(double done, double? limit) => limit switch
    {
        null => 0,
        0 => 1,
        _ => done / limit.Value,
    };
}
