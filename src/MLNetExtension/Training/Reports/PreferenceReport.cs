using MLNetExtension.Training.Preference;

namespace MLNetExtension.Training.Reports;

/// <summary>The rewards of a batch of preferences: what the method makes of the log-probability of a completion, see <see cref="PreferenceMethod"/>.</summary>
public sealed record PreferenceReport
{
    internal PreferenceReport(PreferenceSums sums) => (ChosenReward, RejectedReward, Accuracy) = (sums.Chosen.MeanReward, sums.Rejected.MeanReward, sums.Correct / sums.Pairs);

    /// <summary>Mean reward of the chosen completions, for KTO of the desirable ones; NaN where there is none.</summary>
    public double ChosenReward { get; }

    /// <summary>Mean reward of the rejected completions, for KTO of the undesirable ones; NaN where there is none.</summary>
    public double RejectedReward { get; }

    /// <summary>How much higher the chosen completions are rewarded: <see cref="ChosenReward"/> less <see cref="RejectedReward"/>.</summary>
    public double RewardMargin => ChosenReward - RejectedReward;

    /// <summary>Share of the pairs whose chosen completion has the higher reward, 0 to 1; for KTO, share of the rows whose reward is on the right side of what it is compared with.</summary>
    public double Accuracy { get; }
}
