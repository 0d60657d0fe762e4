using MLNetExtension.Training.Reports;

namespace MLNetExtension.Training;

/// <summary>How a model is evaluated while it is trained, on rows that it is not trained on. Training ends with the best weights that were evaluated.</summary>
internal sealed class Validation
{
    /// <summary>Describes what is evaluated and how often.</summary>
    /// <param name="loss">Computes the validation loss of the model on this rank's rows: the sum of the losses in nats, and the number of target tokens, or their summed weights, that it is to be divided by.
    /// While it runs, the model is in evaluation mode; it must not change weights or random state. It looks at its token about once a micro-batch.</param>
    /// <param name="interval">How often it is evaluated. The last step is always evaluated.</param>
    /// <param name="patience">Evaluations in a row without a lower loss after which training stops; null or 0: it never stops early.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    public Validation(Func<CancellationToken, (double Sum, double TargetCount)> loss, TrainingInterval interval, int? patience = null)
    {
        ArgumentNullException.ThrowIfNull(loss);
        interval.Validate(nameof(Validation), nameof(interval));
        ArgumentOutOfRangeException.ThrowIfNegative(patience ?? 0, nameof(patience));
        (Loss, Interval, Patience) = (loss, interval, patience is 0 ? null : patience);
    }

    /// <summary>Generates texts with the model, under the same conditions, on the first rank, after each evaluation; null for none.</summary>
    public Func<CancellationToken, IReadOnlyList<GeneratedSample>>? Samples { get; init; }

    internal Func<CancellationToken, (double Sum, double TargetCount)> Loss { get; }

    /// <summary>Called once before the first step, with the model in evaluation mode and with the weights that training begins with, also where a checkpoint then brings others. Default: not at all.</summary>
    internal Action<CancellationToken>? Prepare { get; init; }

    internal TrainingInterval Interval { get; }

    internal int? Patience { get; }
}
