namespace MLNetExtension.Training.Reports;

/// <summary>What became of a step.</summary>
public enum StepOutcome
{
    /// <summary>The weights were updated.</summary>
    Applied,

    /// <summary>The batch held no target token: there was no update.</summary>
    NoTargets,

    /// <summary>Loss or gradient were not finite: no update, the weights are those of the last good step.</summary>
    NonFinite,
}

/// <summary>What one optimizer step did.</summary>
public sealed record StepReport
{
    /// <summary>The step, from 1.</summary>
    public required int Step { get; init; }

    /// <summary>The pass over the rows, from 1.</summary>
    public required int Epoch { get; init; }

    /// <summary>Share of the training that is done after this step, 0 to 1.</summary>
    public required double Progress { get; init; }

    /// <summary>What became of the step.</summary>
    public required StepOutcome Outcome { get; init; }

    /// <summary>Loss of the batch in nats per target token, before the update; NaN without targets.</summary>
    public required double Loss { get; init; }

    /// <summary>Share of the batch's targets that the model thought the likeliest token, before the update; NaN without targets.</summary>
    public required double Accuracy { get; init; }

    /// <summary>Learning rate of the step.</summary>
    public required double LearningRate { get; init; }

    /// <summary>L2 norm of the batch's gradient, before clipping.</summary>
    public required double GradientNorm { get; init; }

    /// <summary>Target tokens of the batch.</summary>
    public required long TargetTokens { get; init; }

    /// <summary>Rows of the batch.</summary>
    public required int Rows { get; init; }

    /// <summary>Micro-batches that the batch was split into.</summary>
    public required int MicroBatches { get; init; }

    /// <summary>Share of the positions computed that were padding, 0 to 1.</summary>
    public required double PaddingShare { get; init; }

    /// <summary>Most positions that passed through the model together, padding included. It falls when memory runs out.</summary>
    public required int TokensPerMicroBatch { get; init; }

    /// <summary>How many micro-batches are computed side by side, as things stand.</summary>
    public required int Workers { get; init; }

    /// <summary>Duration of the step, without evaluation.</summary>
    public required TimeSpan StepTime { get; init; }

    /// <summary>Time since training began.</summary>
    public required TimeSpan Elapsed { get; init; }

    /// <summary>Target tokens of all steps so far.</summary>
    public required long TotalTargetTokens { get; init; }

    /// <summary>Loss on the validation rows after this step, in nats per target token; null where it was not measured.</summary>
    public double? ValidationLoss { get; init; }

    /// <summary>Rows of the data that a batch which was not finite held; else empty.</summary>
    public IReadOnlyList<long> ExamplePositions { get; init; } = [];

    /// <summary>Estimated time to the end, at the pace so far.</summary>
    public TimeSpan? Remaining => Progress > 0 ? Elapsed * ((1 - Progress) / Progress) : null;

    /// <summary>Target tokens per second of the whole training so far, padding not counted.</summary>
    public double TokensPerSecond => Elapsed > TimeSpan.Zero ? TotalTargetTokens / Elapsed.TotalSeconds : 0;
}
