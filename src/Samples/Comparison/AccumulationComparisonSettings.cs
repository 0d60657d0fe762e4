using MLNetExtension.Training.Accumulation;

namespace Samples.Comparison;

/// <summary>The order in which a window's rows are laid into micro-batches.</summary>
internal enum RowOrder
{
    /// <summary>As they come from the shuffled rows.</summary>
    Random,

    /// <summary>The longest first, as trainers do that want little padding. Micro-batches then differ the most in their targets.</summary>
    Length,
}

/// <summary>The numbers that a comparison computes in.</summary>
internal enum ComparisonPrecision
{
    /// <summary>float64, in which what is exact agrees to about 1e-15.</summary>
    Float64,

    /// <summary>float32, in which what is exact agrees to about 1e-7.</summary>
    Float32,
}

/// <summary>What an <see cref="AccumulationComparison"/> compares. Steps are AdamW's at a constant learning rate, and no gradient is clipped: clipping would hide how long each policy's gradient is.</summary>
internal sealed record AccumulationComparisonSettings
{
    /// <summary>The cuts of a window; all of the same number of rows, which is that of the window. Default 1x16, 2x8, 4x4, 16x1; at least one.</summary>
    public IReadOnlyList<BatchSplit> Cuts { get; init; } = [new(1, 16), new(2, 8), new(4, 4), new(16, 1)];

    /// <summary>The policies that each cut is trained under. Default all three; at least one.</summary>
    public IReadOnlyList<LossNormalization> Normalizations { get; init; } = [LossNormalization.Token, LossNormalization.MicroBatchMean, LossNormalization.Sum];

    /// <summary>Order of rows within a window. Default <see cref="RowOrder.Random"/>.</summary>
    public RowOrder Order { get; init; } = RowOrder.Random;

    /// <summary>What weights, gradients and optimizer state are held in. Default <see cref="ComparisonPrecision.Float64"/>, in which exactness shows.</summary>
    public ComparisonPrecision Precision { get; init; } = ComparisonPrecision.Float64;

    /// <summary>Optimizer steps of each run, one window each. Default 40, at least 1.</summary>
    public int Steps { get; init; } = 40;

    /// <summary>Learning rate of every step. Default 1e-3, above 0.</summary>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>Seed of the weights and of the order of rows. Default 1.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Rows of a window.</summary>
    public int WindowRows => (int)Cuts[0].Rows;

    /// <summary>Checks every setting.</summary>
    /// <exception cref="ArgumentException">A setting is out of its range, or the cuts are not of one window; the message names setting, value and range.</exception>
    public void Validate()
    {
        Require(Cuts.Count > 0, nameof(Cuts), "empty", "at least one cut");
        foreach (BatchSplit cut in Cuts)
        {
            Require(cut is { MicroBatches: > 0, RowsPerMicroBatch: > 0, Rows: <= int.MaxValue }, nameof(Cuts), cut, "two whole numbers of at least 1, such as 4x4");
            Require(cut.Rows == Cuts[0].Rows, nameof(Cuts), string.Join(", ", Cuts), $"cuts of one window: {Cuts[0]} has {Cuts[0].Rows} rows, {cut} has {cut.Rows}");
        }
        Require(Normalizations.Count > 0 && Normalizations.All(Enum.IsDefined), nameof(Normalizations), string.Join(", ", Normalizations), "at least one of " + string.Join(", ", Enum.GetNames<LossNormalization>()));
        Require(Enum.IsDefined(Order), nameof(Order), Order, string.Join(", ", Enum.GetNames<RowOrder>()));
        Require(Enum.IsDefined(Precision), nameof(Precision), Precision, string.Join(", ", Enum.GetNames<ComparisonPrecision>()));
        Require(Steps >= 1, nameof(Steps), Steps, "at least 1");
        Require(LearningRate > 0 && double.IsFinite(LearningRate), nameof(LearningRate), LearningRate, "above 0");
    }

    private static void Require(bool holds, string setting, object value, string allowed)
    {
        if (!holds)
            throw new ArgumentException(FormattableString.Invariant($"{setting} is {value}; allowed is {allowed}."), setting);
    }
}
