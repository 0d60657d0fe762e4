namespace MLNetExtension.Training.Reports;

/// <summary>The figures of a whole training; of one that was resumed, those since then.</summary>
public sealed record TrainingSummary
{
    /// <summary>Optimizer steps, those without an update included.</summary>
    public required int Steps { get; init; }

    /// <summary>Passes over the rows that were begun.</summary>
    public required int Epochs { get; init; }

    /// <summary>Target tokens seen.</summary>
    public required long TargetTokens { get; init; }

    /// <summary>Duration.</summary>
    public required TimeSpan Elapsed { get; init; }

    /// <summary>Loss of the last batch in nats per target token; NaN where there was none.</summary>
    public required double LastLoss { get; init; }

    /// <summary>Steps whose batch held no target token.</summary>
    public required int StepsWithoutTargets { get; init; }

    /// <summary>Steps that were not applied because loss, gradient or new weights were not finite.</summary>
    public required int NonFiniteSteps { get; init; }

    /// <summary>Why training ended.</summary>
    public required StopReason End { get; init; }

    /// <summary>
    /// The step, counted from 1 as <see cref="StepReport.Step"/> is, whose weights the model has; 0 for those that training began with. It is below the last step that was applied where another was the best on
    /// the validation rows (<see cref="BestStep"/>), or where no finite loss could be computed with the weights of the last step, which is taken back then.
    /// </summary>
    public required int WeightsStep { get; init; }

    /// <summary>Number of steps whose weights are in the average at the end; 0 without one, see <see cref="RegularizationOptions.Averaging"/>.</summary>
    public int AveragedSteps { get; init; }

    /// <summary>Whether the model has averaged weights: those of the steps up to <see cref="WeightsStep"/>, instead of that one's.</summary>
    public bool HasAveragedWeights { get; init; }

    /// <summary>Whether training ended early because too many steps in a row were not finite.</summary>
    public bool StoppedByNonFiniteSteps => End == StopReason.NonFiniteSteps;

    /// <summary>The lowest validation loss, in nats per target token: that of the weights which the model has now; null where there was no validation.</summary>
    public double? ValidationLoss { get; init; }

    /// <summary>The step after which it was measured, from 1; null where there was no validation.</summary>
    public int? BestStep { get; init; }
}
