using MLNetExtension.Data;
using MLNetExtension.Training.Optimization;

namespace MLNetExtension.Training;

/// <summary>How a model is trained. Checked once, where the options enter; the parts below receive plain values.</summary>
internal sealed record TrainingOptions
{
    public const int DefaultBatchSize = 8;
    public const int DefaultMaximumNonFiniteSteps = 10;
    public const double DefaultLearningRate = 3e-3;

    /// <summary>Examples of an optimizer step, however they are split. At least 1.</summary>
    public int BatchSize { get; init; } = DefaultBatchSize;

    /// <summary>Target tokens of an optimizer step, in place of a number of examples. At least 1; null: <see cref="BatchSize"/> counts.</summary>
    public int? BatchTargetTokens { get; init; }

    /// <summary>Learning rate after the warm-up. Above 0.</summary>
    public double LearningRate { get; init; } = DefaultLearningRate;

    /// <summary>Most optimizer steps; null for no limit. 0 leaves the model as it is.</summary>
    public int? MaximumSteps { get; init; }

    /// <summary>Most passes over the examples; null for no limit. Where no limit is set, one pass is made.</summary>
    public int? MaximumEpochs { get; init; }

    /// <summary>Longest training time; null for no limit.</summary>
    public TimeSpan? MaximumDuration { get; init; }

    /// <summary>Training stops after this many steps in a row whose loss or gradient is not finite. At least 1.</summary>
    public int MaximumNonFiniteSteps { get; init; } = DefaultMaximumNonFiniteSteps;

    /// <summary>The order in which epochs visit the examples.</summary>
    public RowOrder RowOrder { get; init; } = RowOrder.Shuffled;

    /// <summary>The optimizer.</summary>
    public OptimizerOptions Optimizer { get; init; } = new AdamWOptions();

    /// <summary>The learning rate's course.</summary>
    public ScheduleOptions Schedule { get; init; } = new();

    /// <summary>What is minimized.</summary>
    public LossOptions Loss { get; init; } = new();

    /// <summary>What keeps the model from learning its rows by heart.</summary>
    public RegularizationOptions Regularization { get; init; } = new();

    /// <summary>A teacher to learn from, beside the targets; <see cref="Loss"/> says no more than what a sum is divided by then. Default: none.</summary>
    public Distillation? Distillation { get; init; }

    /// <summary>How a batch is computed.</summary>
    public BatchingOptions Batching { get; init; } = new();

    /// <summary>Learning rate at the end of training.</summary>
    public double MinimumLearningRate => LearningRate * Schedule.MinimumLearningRateRatio;

    /// <summary>Checks every option.</summary>
    /// <exception cref="ArgumentNullException">A group is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range; the message names option, value and range.</exception>
    public void Validate()
    {
        Require.That(BatchSize >= 1, BatchSize, "at least 1");
        Require.That(BatchTargetTokens is null or >= 1, BatchTargetTokens, "at least 1");
        Require.That(BatchTargetTokens is null || BatchSize == DefaultBatchSize, BatchSize, $"its default, {DefaultBatchSize}, beside {nameof(BatchTargetTokens)}");
        Require.That(LearningRate is > 0 and <= Require.LargestNumber, LearningRate, "above 0 and at most 1E+30");
        Require.That(MaximumSteps is null or >= 0, MaximumSteps, "at least 0");
        Require.That(MaximumEpochs is null or >= 0, MaximumEpochs, "at least 0");
        Require.That(MaximumDuration is null || MaximumDuration >= TimeSpan.Zero, MaximumDuration, "at least 0");
        Require.That(MaximumNonFiniteSteps >= 1, MaximumNonFiniteSteps, "at least 1");
        ArgumentNullException.ThrowIfNull(RowOrder);
        RowOrder.Validate(nameof(RowOrder));
        ArgumentNullException.ThrowIfNull(Optimizer);
        ArgumentNullException.ThrowIfNull(Schedule);
        ArgumentNullException.ThrowIfNull(Loss);
        ArgumentNullException.ThrowIfNull(Regularization);
        ArgumentNullException.ThrowIfNull(Batching);
        Optimizer.Validate(nameof(Optimizer));
        Schedule.Validate(nameof(Schedule));
        Loss.Validate(nameof(Loss));
        Regularization.Validate(nameof(Regularization));
        Batching.Validate(nameof(Batching));
    }
}
