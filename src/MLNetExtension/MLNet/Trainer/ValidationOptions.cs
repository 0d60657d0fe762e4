using Microsoft.ML;

namespace MLNetExtension;

/// <summary>Rows that are not trained on, on which the loss is measured during training; the trained model has the weights with the lowest loss on them.</summary>
public sealed record ValidationOptions
{
    internal const int DefaultInterval = 100;

    /// <summary>
    /// The rows. They have the trainer's input columns as the trainer reads them: what stands before the trainer in a pipeline is applied to the training data alone. Measuring changes nothing in
    /// the training.
    /// </summary>
    public required IDataView Rows { get; init; }

    /// <summary>Optimizer steps between two evaluations, at least 1; the last step is always evaluated. Default: 100.</summary>
    public int Interval { get; init; } = DefaultInterval;

    /// <summary>Training stops after this many evaluations in a row without a lower loss. Default: null; it and 0 mean never.</summary>
    public int? Patience { get; init; }

    internal void Validate(string group)
    {
        ArgumentNullException.ThrowIfNull(Rows, $"{group}.{nameof(Rows)}");
        Require.That(Interval >= 1, Interval, "at least 1", group);
        Require.That(Patience is null or >= 0, Patience, "at least 0", group);
    }
}
