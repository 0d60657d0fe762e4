namespace MLNetExtension.Training.Reports;

/// <summary>Whether an optimizer step updated the weights, and if not, why.</summary>
public enum StepOutcome
{
    /// <summary>The weights were updated.</summary>
    Applied,

    /// <summary>The batch had no target token: no update.</summary>
    NoTargets,

    /// <summary>The loss, the gradient or the new weights were not finite: no update; the weights are those of the last step that was applied.</summary>
    NonFinite,
}

/// <summary>The figures of one optimizer step.</summary>
public sealed record StepReport
{
    /// <summary>The step, from 1.</summary>
    public required int Step { get; init; }

    /// <summary>The pass over the rows, from 1.</summary>
    public required int Epoch { get; init; }

    /// <summary>Share of the training that is done after this step, 0 to 1.</summary>
    public required double Progress { get; init; }

    /// <summary>Whether the step updated the weights, and if not, why.</summary>
    public required StepOutcome Outcome { get; init; }

    /// <summary>Loss of the batch in nats per target token, weights included (<see cref="TargetWeight"/>), before the update; where preferences are trained, the method's loss per pair, or for KTO per row. NaN without targets.</summary>
    public required double Loss { get; init; }

    /// <summary>
    /// Share of the batch's targets to which the model gave the highest probability of all tokens, before the update, 0 to 1; NaN without targets. Where preferences are trained: the share of pairs whose chosen completion had
    /// the higher reward, or for KTO, of rows whose reward was on the right side of what it is compared with.
    /// </summary>
    public required double Accuracy { get; init; }

    /// <summary>Learning rate of the step.</summary>
    public required double LearningRate { get; init; }

    /// <summary>L2 norm of the batch's gradient, before clipping.</summary>
    public required double GradientNorm { get; init; }

    /// <summary>Target tokens of the batch: those of texts and completions, not of prompts that are trained on with a weight.</summary>
    public required long TargetTokens { get; init; }

    /// <summary>Summed weights of all targets, by which the batch's summed loss and gradient were divided: <see cref="TargetTokens"/> where neither rows nor prompts are weighted.</summary>
    public required double TargetWeight { get; init; }

    /// <summary>Rows of the batch; where preferences are trained, its pairs.</summary>
    public required int Rows { get; init; }

    /// <summary>Mean of the batch's rows in the column that the order of rows follows: how far the curriculum has come. Null where it follows none.</summary>
    public double? OrderValue { get; init; }

    /// <summary>Micro-batches that the batch was split into, those of all ranks.</summary>
    public required int MicroBatches { get; init; }

    /// <summary>Share of the positions computed that were padding, 0 to 1; where several ranks train, of those of the first.</summary>
    public required double PaddingShare { get; init; }

    /// <summary>Most positions that passed through the model together in this step, padding included. It changes while splits are tried, and falls when memory runs out.</summary>
    public required int TokensPerMicroBatch { get; init; }

    /// <summary>Number of micro-batches that were computed side by side in this step. It changes while splits are tried, and falls to 1 when memory runs out.</summary>
    public required int Workers { get; init; }

    /// <summary>Duration of the step, without evaluation.</summary>
    public required TimeSpan StepTime { get; init; }

    /// <summary>Time since training began.</summary>
    public required TimeSpan Elapsed { get; init; }

    /// <summary>Target tokens of all steps so far.</summary>
    public required long TotalTargetTokens { get; init; }

    /// <summary>Loss on the validation rows after this step, in nats per target token; null where it was not measured.</summary>
    public double? ValidationLoss { get; init; }

    /// <summary>Number of steps whose weights are in the average so far, see <see cref="RegularizationOptions.Averaging"/>; 0 without one. A step is in it when a finite loss has been computed with its weights.</summary>
    public int AveragedSteps { get; init; }

    /// <summary>Whether a checkpoint was written after this step.</summary>
    public bool HasCheckpoint { get; init; }

    /// <summary>Texts generated with the weights after this step, from <c>ValidationOptions.Prompts</c>; empty where the validation loss was not measured, or there are no prompts.</summary>
    public IReadOnlyList<GeneratedSample> Samples { get; init; } = [];

    /// <summary>The memory in use after this step; of several ranks, that of the first.</summary>
    public MemoryUse Memory { get; init; }

    /// <summary>
    /// Floating-point operations that the batch takes by the usual count (Chowdhery et al. 2022, "PaLM", appendix B): for each position 6 for each weight that is trained, 4 for one that is frozen, and 12 for each position of its row and
    /// each width of an attention head; the head at targets alone. Padding and recomputation do not count. Of a network of one's own without parts, attention is not known and not counted.
    /// </summary>
    public double ModelFlops { get; init; }

    /// <summary>The most floating-point operations per second that matrix multiplication was measured to do before training, of all ranks together; null where it was not, see <c>Options.MeasureMatrixPeak</c>.</summary>
    public double? MatrixPeak { get; init; }

    /// <summary>The share of <see cref="MatrixPeak"/> that the step's <see cref="ModelFlops"/> reached in its time (model FLOP utilization); null where the peak was not measured.</summary>
    public double? ModelFlopUtilization => MatrixPeak is { } peak && StepTime > TimeSpan.Zero ? ModelFlops / StepTime.TotalSeconds / peak : null;

    /// <summary>Rewards of the batch, before the update, where preferences are trained; else null.</summary>
    public PreferenceReport? Preference { get; init; }

    /// <summary>Positions in the data, from 0, of the rows of a batch that was not finite; else empty.</summary>
    public IReadOnlyList<long> ExamplePositions { get; init; } = [];

    /// <summary>Estimated time to the end, at the rate so far, at most <see cref="TimeSpan.MaxValue"/>; null before the first step.</summary>
    public TimeSpan? Remaining => Progress > 0 ? Scale(Elapsed, (1 - Progress) / Progress) : null;

    /// <summary>Target tokens per second: <see cref="TotalTargetTokens"/> divided by <see cref="Elapsed"/>, evaluations included.</summary>
    public double TokensPerSecond => Elapsed > TimeSpan.Zero ? TotalTargetTokens / Elapsed.TotalSeconds : 0;

    // The limits of a training may be further away than a TimeSpan holds.
    private static TimeSpan Scale(TimeSpan time, double factor) => time.Ticks * factor < TimeSpan.MaxValue.Ticks ? time * factor : TimeSpan.MaxValue;
}
