using MLNetExtension.Training.Accumulation;
using Samples.Reporting;

namespace Samples.Comparison;

/// <summary>The result of training with one normalization and one split, compared with the full batch.</summary>
internal sealed record AccumulationRun
{
    // The loss of a single batch of rows of unequal lengths is noisy.
    private const int LastBatches = 10;

    /// <summary>What the accumulated gradient was divided by.</summary>
    public required LossNormalization Normalization { get; init; }

    /// <summary>How each batch was split.</summary>
    public required BatchSplit Split { get; init; }

    /// <summary>The number of processes among which the micro-batches were divided.</summary>
    public required int Ranks { get; init; }

    /// <summary>
    /// L2 distance of the first batch's gradient from that of the full batch, both at the initial weights, relative to the latter's norm.
    /// Under <see cref="LossNormalization.Sum"/> it is N - 1, where N is the number of the batch's target tokens: that gradient is N times the full batch's.
    /// </summary>
    public required double GradientRelativeError { get; init; }

    /// <summary>Difference of the first batch's gradient norm, before clipping, from the full batch's, relative to the latter.</summary>
    public required double GradientNormError { get; init; }

    /// <summary>Loss and number of target tokens of each step's batch, before its update.</summary>
    public required IReadOnlyList<BatchLoss> Batches { get; init; }

    /// <summary>L2 distance of the weights from those of the full batch's run, relative to the latter's norm, after each step.</summary>
    public required IReadOnlyList<double> WeightDistances { get; init; }

    /// <summary>Loss of each step's batch in nats per target token, whatever the normalization, before its update.</summary>
    public IReadOnlyList<double> Losses => [.. Batches.Select(batch => batch.Mean)];

    /// <summary>Loss over the last ten batches, or all where there are fewer, in nats per target token.</summary>
    public double Loss => Batches.TakeLast(LastBatches).Sum(batch => batch.Sum) / Batches.TakeLast(LastBatches).Sum(batch => batch.TargetCount);

    /// <summary>The last of <see cref="WeightDistances"/>.</summary>
    public double WeightDistance => WeightDistances[^1];
}

/// <summary>The progress of a comparison after a step of all runs; the loss is the full batch's, in nats per target token.</summary>
internal readonly record struct AccumulationProgress(int Step, int Steps, double Loss, TimeSpan Elapsed)
{
    /// <summary>The progress as it is shown.</summary>
    public JobProgress ToJobProgress() =>
        new((double)Step / Steps, Elapsed, FormattableString.Invariant($"step {Step} of {Steps}  full batch loss {Loss:0.000}  {Elapsed.TotalSeconds:0} s"));
}
