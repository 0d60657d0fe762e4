namespace MLNetExtension.Evaluation;

/// <summary>The scores of the target tokens of one row.</summary>
/// <param name="Losses">The negative log-likelihood of each, in nats, in the row's order.</param>
/// <param name="CorrectCount">To how many of them the model gives the highest probability of all tokens.</param>
internal sealed record TokenScores(IReadOnlyList<double> Losses, int CorrectCount)
{
    /// <summary>The scores of a row without a target.</summary>
    public static TokenScores None { get; } = new([], 0);

    /// <summary>The summed loss, in nats.</summary>
    public double LossSum { get; } = Losses.Sum();
}
