namespace MLNetExtension.Training.Preference;

/// <summary>What the model and the reference say of a completion.</summary>
/// <param name="LogProbability">log p(y|x): the sum over its tokens, in nats.</param>
/// <param name="Reference">log p_ref(y|x), likewise; 0 where the method has no reference.</param>
/// <param name="Tokens">|y|, at least 1.</param>
internal readonly record struct CompletionLikelihood(double LogProbability, double Reference, int Tokens)
{
    /// <summary>r(y).</summary>
    public double LogRatio => LogProbability - Reference;

    /// <summary>The mean over its tokens.</summary>
    public double Mean => LogProbability / Tokens;
}

/// <summary>Two completions of a prompt.</summary>
/// <param name="First">The chosen one; of rows without pairs, the row's.</param>
/// <param name="Second">The rejected one; of rows without pairs, another row's.</param>
/// <param name="IsUndesirable">For rows without pairs, whether the completion is a bad one.</param>
internal readonly record struct PairLikelihoods(CompletionLikelihood First, CompletionLikelihood Second, bool IsUndesirable);

/// <summary>What a pair adds to the loss.</summary>
/// <param name="Loss">Its loss.</param>
/// <param name="FirstSlope">The derivative of the loss by the first completion's log-probability.</param>
/// <param name="SecondSlope">That by the second one's.</param>
/// <param name="FirstReward">The reward of the first completion.</param>
/// <param name="SecondReward">That of the second, or what a row without a pair is compared with.</param>
internal readonly record struct PairTerm(double Loss, double FirstSlope, double SecondSlope, double FirstReward, double SecondReward);
