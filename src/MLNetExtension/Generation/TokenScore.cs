namespace MLNetExtension.Generation;

/// <summary>How probable a model finds a token, as it is: before temperature, penalties and limits change what is chosen from.</summary>
/// <param name="Id">The token's id.</param>
/// <param name="LogProbability">The logarithm of its probability, in nats.</param>
/// <param name="Most">The most probable tokens, the first one first; of equally probable ones the one with the lowest id comes first.</param>
internal sealed record TokenScore(int Id, double LogProbability, IReadOnlyList<(int Id, double LogProbability)> Most)
{
    /// <summary>Scores a token.</summary>
    /// <param name="logits">The model's logits, one for each of its ids.</param>
    /// <param name="id">The token.</param>
    /// <param name="count">How many of the most probable tokens are listed; 0 or more.</param>
    /// <param name="vocabularySize">How many ids the tokenizer has: those behind are never listed.</param>
    public static TokenScore Of(ReadOnlySpan<double> logits, int id, int count, int vocabularySize)
    {
        double highest = double.NegativeInfinity, sum = 0;
        foreach (double logit in logits)
            highest = Math.Max(highest, logit);
        foreach (double logit in logits)
            sum += Math.Exp(logit - highest);
        double normalizer = highest + Math.Log(sum);

        List<(int Id, double LogProbability)> most = [];
        for (int other = 0; other < Math.Min(logits.Length, vocabularySize); other++)
        {
            double logProbability = logits[other] - normalizer;
            if (most.Count == count && (count == 0 || logProbability <= most[^1].LogProbability))
                continue;
            int place = most.FindIndex(each => each.LogProbability < logProbability);
            most.Insert(place < 0 ? most.Count : place, (other, logProbability));
            if (most.Count > count)
                most.RemoveAt(count);
        }
        return new TokenScore(id, logits[id] - normalizer, most);
    }
}
