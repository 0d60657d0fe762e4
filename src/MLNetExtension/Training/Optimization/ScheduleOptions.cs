namespace MLNetExtension.Training.Optimization;

/// <summary>The learning rate's course: a linear rise to the peak, then a fall to a floor.</summary>
public sealed record ScheduleOptions
{
    internal const int MostWarmupSteps = 50;
    internal const double DefaultDecayShare = 0.2;

    /// <summary>The course after the warm-up. Default <see cref="ScheduleShape.Cosine"/>.</summary>
    public ScheduleShape Shape { get; init; } = ScheduleShape.Cosine;

    /// <summary>
    /// Optimizer steps in which the learning rate rises; the last of them has the peak. Default null: <see cref="WarmupShare"/> where that is set, else 50, or a tenth of the steps where that is less and their number
    /// is known. At least 0.
    /// </summary>
    public int? WarmupSteps { get; init; }

    /// <summary>Share of the training in which the learning rate rises, from 0 to below 1, in place of <see cref="WarmupSteps"/>. Default null.</summary>
    public double? WarmupShare { get; init; }

    /// <summary>Share of the training, at its end, in which the learning rate falls, for <see cref="ScheduleShape.WarmupStableDecay"/>. Default 0.2; above 0, at most 1.</summary>
    public double DecayShare { get; init; } = DefaultDecayShare;

    /// <summary>The learning rate at the end of training as a share of the learning rate after the warm-up: the floor, below which no shape falls. Default 0.1; from 0 to 1.</summary>
    public double MinimumLearningRateRatio { get; init; } = 0.1;

    internal void Validate(string group)
    {
        Require.Defined(Shape, group);
        Require.That(WarmupSteps is null or >= 0, WarmupSteps, "at least 0", group);
        Require.Share(WarmupShare, group);
        Require.That(WarmupShare is null || WarmupSteps is null, WarmupShare, $"null beside {group}.{nameof(WarmupSteps)}", group);
        Require.That(DecayShare is > 0 and <= 1, DecayShare, "above 0 and at most 1", group);
        Require.That(MinimumLearningRateRatio is >= 0 and <= 1, MinimumLearningRateRatio, "from 0 to 1", group);
    }

    /// <summary>Gives the number of warm-up steps, derived from the length of the training where none is set.</summary>
    /// <param name="steps">Steps of the training; null where only time ends it.</param>
    /// <returns>Null where it is a share of the time.</returns>
    internal int? GetWarmupSteps(long? steps) => WarmupShare is not { } share ? WarmupSteps ?? (int)Math.Min(MostWarmupSteps, steps / 10 ?? MostWarmupSteps)
        : steps is { } known ? (int)Math.Min(int.MaxValue, Math.Round(share * known))
        : null;
}
