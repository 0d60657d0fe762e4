namespace MLNetExtension.Training.Optimization;

/// <summary>The learning rate's course: a linear rise, then half a cosine down to a minimum.</summary>
public sealed record ScheduleOptions
{
    /// <summary>Optimizer steps in which the learning rate rises. Default 50; at least 0.</summary>
    public int WarmupSteps { get; init; } = 50;

    /// <summary>Learning rate at the end of training. Default null, a tenth of the learning rate; from 0 to the learning rate.</summary>
    public double? MinimumLearningRate { get; init; }

    internal void Validate(string group, double learningRate)
    {
        Require.That(WarmupSteps >= 0, WarmupSteps, "at least 0", group);
        Require.That(
            MinimumLearningRate is null || (MinimumLearningRate >= 0 && MinimumLearningRate <= learningRate),
            MinimumLearningRate, FormattableString.Invariant($"from 0 to LearningRate ({learningRate})"), group);
    }
}
