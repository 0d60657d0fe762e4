using MLNetExtension.Training.Reports;

namespace MLNetExtension.Training;

/// <summary>The limits of a training, and how far it has come towards the first of them.</summary>
internal sealed class TrainingLimits
{
    // As many as can be counted: steps of a millisecond would take 24 days.
    private const int MostSteps = int.MaxValue;

    private readonly TimeSpan? _duration;
    private readonly int _nonFiniteSteps;

    /// <summary>Reads the limits.</summary>
    /// <param name="options">The limits of steps, epochs and time; one epoch where there is none.</param>
    /// <param name="stepsPerEpoch">Steps of an epoch.</param>
    public TrainingLimits(TrainingOptions options, int stepsPerEpoch)
    {
        bool unlimited = options is { MaximumSteps: null, MaximumEpochs: null, MaximumDuration: null };
        long? byEpochs = (unlimited ? 1 : options.MaximumEpochs) * (long)stepsPerEpoch;
        Steps = byEpochs is null ? options.MaximumSteps : Math.Min(byEpochs.Value, options.MaximumSteps ?? MostSteps);
        (_duration, _nonFiniteSteps) = (options.MaximumDuration, options.MaximumNonFiniteSteps);
    }

    /// <summary>Most steps; null where only time ends the training.</summary>
    public long? Steps { get; }

    /// <summary>Share of the training that is done, from 0; above 1 where a step took longer than the time that was left.</summary>
    /// <param name="steps">Steps taken.</param>
    /// <param name="elapsed">Time since training began.</param>
    public double Progress(int steps, TimeSpan elapsed) => Math.Max(Share(steps, Steps), Share(elapsed.TotalSeconds, _duration?.TotalSeconds));

    /// <summary>Finds which limit training has reached; null where it continues.</summary>
    /// <param name="steps">Steps taken.</param>
    /// <param name="elapsed">Time since training began.</param>
    /// <param name="nonFiniteInARow">The last steps, in a row, that were not finite.</param>
    public StopReason? FindStopReason(int steps, TimeSpan elapsed, int nonFiniteInARow) =>
        nonFiniteInARow >= _nonFiniteSteps ? StopReason.NonFiniteSteps
        : Progress(steps, elapsed) >= 1 || steps == MostSteps ? StopReason.LimitReached
        : null;

    private static double Share(double done, double? limit) => limit switch
    {
        null => 0,
        0 => 1,
        _ => done / limit.Value,
    };
}
