using MLNetExtension.Training.Reports;

namespace MLNetExtension.Training;

/// <summary>How far a training has come towards the first of its limits, and whether it is to end.</summary>
internal sealed class TrainingLimits
{
    private readonly TimeSpan? _duration;
    private readonly int _nonFiniteSteps;
    private readonly CancellationToken _stopToken;

    public TrainingLimits(TrainingOptions options, int examples, CancellationToken stopToken = default)
    {
        long stepsPerEpoch = (examples + options.BatchSize - 1) / options.BatchSize;
        bool unlimited = options is { MaximumSteps: null, MaximumEpochs: null, MaximumDuration: null };
        long? byEpochs = (unlimited ? 1 : options.MaximumEpochs) * stepsPerEpoch;
        Steps = byEpochs is null ? options.MaximumSteps : Math.Min(byEpochs.Value, options.MaximumSteps ?? long.MaxValue);
        (_duration, _nonFiniteSteps, _stopToken) = (options.MaximumDuration, options.MaximumNonFiniteSteps, stopToken);
    }

    /// <summary>Most steps; null where time alone ends the training.</summary>
    public long? Steps { get; }

    /// <summary>Share of the training that is done, 0 to 1 and above where a step outlasted the time.</summary>
    /// <param name="steps">Steps taken.</param>
    /// <param name="elapsed">Time since training began.</param>
    public double Progress(int steps, TimeSpan elapsed) => Math.Max(Share(steps, Steps), Share(elapsed.TotalSeconds, _duration?.TotalSeconds));

    /// <summary>Whether whoever trains asks for the end.</summary>
    public bool StopIsRequested => _stopToken.IsCancellationRequested;

    /// <summary>Why training ends here; null where it goes on.</summary>
    /// <param name="steps">Steps taken.</param>
    /// <param name="elapsed">Time since training began.</param>
    /// <param name="nonFiniteInARow">The last steps that were not finite.</param>
    public StopReason? End(int steps, TimeSpan elapsed, int nonFiniteInARow) =>
        nonFiniteInARow >= _nonFiniteSteps ? StopReason.NonFiniteSteps
        : Progress(steps, elapsed) >= 1 ? StopReason.LimitReached
        : StopIsRequested ? StopReason.Requested
        : null;

    private static double Share(double done, double? limit) => limit switch
    {
        null => 0,
        0 => 1,
        _ => done / limit.Value,
    };
}
