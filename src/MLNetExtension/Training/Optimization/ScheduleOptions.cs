namespace MLNetExtension.Training.Optimization;

/// <summary>The learning rate's course: a linear rise, then half a cosine down to a floor.</summary>
public sealed record ScheduleOptions
{
    internal const int MostWarmupSteps = 50;

    /// <summary>Optimizer steps in which the learning rate rises. Default null: 50, or a tenth of the steps where that is less and their number is known. At least 0.</summary>
    public int? WarmupSteps { get; init; }

    /// <summary>The learning rate at the end of training as a share of the learning rate after the warm-up. Default 0.1; from 0 to 1.</summary>
    public double MinimumLearningRateRatio { get; init; } = 0.1;

    internal void Validate(string group)
    {
        Require.That(WarmupSteps is null or >= 0, WarmupSteps, "at least 0", group);
        Require.That(MinimumLearningRateRatio is >= 0 and <= 1, MinimumLearningRateRatio, "from 0 to 1", group);
    }

    /// <summary>Gives the number of warm-up steps, derived from the length of the training where none is set.</summary>
    /// <param name="steps">Steps of the training; null where only time ends it.</param>
    internal int GetWarmupSteps(long? steps) => WarmupSteps ?? (int)Math.Min(MostWarmupSteps, steps / 10 ?? MostWarmupSteps);
}
