namespace MLNetExtension.Training;

/// <summary>How a training measures itself on rows that it does not learn from. The weights it ends with are the best that were measured.</summary>
internal sealed class Validation
{
    /// <summary>Describes what is measured and how often.</summary>
    /// <param name="loss">Gives the loss of the model that is trained, in nats per target token: sum over sum. While it runs, the model is in evaluation mode; it must leave weights and random
    /// state alone.</param>
    /// <param name="interval">Optimizer steps between two evaluations, at least 1. The last step is always evaluated.</param>
    /// <param name="patience">Evaluations in a row without a lower loss after which training stops; null or 0: it never stops early.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    public Validation(Func<double> loss, int interval, int? patience = null)
    {
        ArgumentNullException.ThrowIfNull(loss);
        ArgumentOutOfRangeException.ThrowIfLessThan(interval, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(patience ?? 0, nameof(patience));
        (Loss, Interval, Patience) = (loss, interval, patience is 0 ? null : patience);
    }

    internal Func<double> Loss { get; }

    internal int Interval { get; }

    internal int? Patience { get; }
}
