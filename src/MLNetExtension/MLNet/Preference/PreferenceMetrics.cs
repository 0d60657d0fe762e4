using System.Globalization;
using MLNetExtension.Training.Preference;

namespace MLNetExtension;

/// <summary>How well a language model prefers chosen completions to rejected ones.</summary>
/// <remarks>
/// <para>All are sums over pairs divided by the summed weights of the pairs, so that every pair weighs the same but for its weight. The reward of a completion is what the method makes of its log-probability: for DPO and KTO
/// <c>beta (log p(y|x) - log p_ref(y|x))</c>, for IPO the same with tau, for SimPO <c>beta log p(y|x) / |y|</c>, for ORPO lambda times the mean of the tokens' log-probabilities.</para>
/// <para>For KTO, chosen completions are the desirable rows and rejected ones the others, and <see cref="Accuracy"/> is the share of rows whose reward is on the right side of what it is compared with.</para>
/// </remarks>
public sealed class PreferenceMetrics
{
    internal PreferenceMetrics(PreferenceSums sums, long pairs, long skippedPairs)
    {
        (Loss, Accuracy) = (sums.Loss / sums.Pairs, sums.Correct / sums.Pairs);
        (ChosenReward, RejectedReward) = (sums.Chosen.MeanReward, sums.Rejected.MeanReward);
        (ChosenLogProbability, RejectedLogProbability) = (sums.Chosen.LogProbability / sums.Chosen.Count, sums.Rejected.LogProbability / sums.Rejected.Count);
        (Pairs, SkippedPairs) = (pairs, skippedPairs);
    }

    /// <summary>The mean of the method's loss; 0 is best.</summary>
    public double Loss { get; }

    /// <summary>The share of pairs whose chosen completion has the higher reward, 0 to 1; 1 is best. A pair with equal rewards is none of them.</summary>
    public double Accuracy { get; }

    /// <summary>The mean reward of the chosen completions.</summary>
    public double ChosenReward { get; }

    /// <summary>The mean reward of the rejected completions.</summary>
    public double RejectedReward { get; }

    /// <summary><see cref="ChosenReward"/> less <see cref="RejectedReward"/>; higher is better.</summary>
    public double RewardMargin => ChosenReward - RejectedReward;

    /// <summary>The mean log-probability of a chosen completion, summed over its tokens, in nats.</summary>
    public double ChosenLogProbability { get; }

    /// <summary>The mean log-probability of a rejected completion, summed over its tokens, in nats.</summary>
    public double RejectedLogProbability { get; }

    /// <summary>The number of pairs, for KTO of rows, that were measured.</summary>
    public long Pairs { get; }

    /// <summary>The number of those that were not: a completion has no token within the model's context, or the weight is 0.</summary>
    public long SkippedPairs { get; }

    /// <summary>Formats the metrics in one line, for people to read.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"loss {Loss:F4}, accuracy {100 * Accuracy:F1} %, reward margin {RewardMargin:F3} ({ChosenReward:F3} and {RejectedReward:F3}), log-probabilities {ChosenLogProbability:F1} and {RejectedLogProbability:F1}, {Pairs:N0} pairs");
}
