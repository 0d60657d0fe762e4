namespace MLNetExtension.Training.Preference;

/// <summary>What pairs add up to. Means are taken when they are shown.</summary>
/// <param name="Loss">The weighted sum of the losses.</param>
/// <param name="Pairs">The weighted number of pairs, or of rows without pairs.</param>
/// <param name="Correct">The weighted number of pairs whose chosen completion has the higher reward; of rows without pairs, of those on the right side of z.</param>
internal readonly record struct PreferenceSums(double Loss, double Pairs, double Correct)
{
    /// <summary>The chosen completions, or the desirable ones.</summary>
    public RewardSums Chosen { get; init; }

    /// <summary>The rejected completions, or the undesirable ones.</summary>
    public RewardSums Rejected { get; init; }

    public static PreferenceSums operator +(PreferenceSums a, PreferenceSums b) => new(a.Loss + b.Loss, a.Pairs + b.Pairs, a.Correct + b.Correct)
    {
        Chosen = a.Chosen + b.Chosen,
        Rejected = a.Rejected + b.Rejected,
    };

    /// <summary>The sums as numbers that can be added to those of other pairs.</summary>
    public double[] ToNumbers() => [Loss, Pairs, Correct, Chosen.Count, Chosen.Reward, Chosen.LogProbability, Rejected.Count, Rejected.Reward, Rejected.LogProbability];

    /// <summary>Makes the sums of what <see cref="ToNumbers"/> gave.</summary>
    public static PreferenceSums FromNumbers(double[] numbers) => new(numbers[0], numbers[1], numbers[2])
    {
        Chosen = new(numbers[3], numbers[4], numbers[5]),
        Rejected = new(numbers[6], numbers[7], numbers[8]),
    };
}

/// <summary>What completions of one kind add up to.</summary>
/// <param name="Count">Their weighted number.</param>
/// <param name="Reward">The weighted sum of their rewards.</param>
/// <param name="LogProbability">The weighted sum of their log-probabilities, in nats.</param>
internal readonly record struct RewardSums(double Count, double Reward, double LogProbability)
{
    /// <summary>The mean reward; NaN where there is no completion.</summary>
    public double MeanReward => Reward / Count;

    public static RewardSums operator +(RewardSums a, RewardSums b) => new(a.Count + b.Count, a.Reward + b.Reward, a.LogProbability + b.LogProbability);
}
