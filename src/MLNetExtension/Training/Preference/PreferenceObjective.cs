using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.Training.Ranks;

namespace MLNetExtension.Training.Preference;

/// <summary>
/// Training on preferences. The gradient of a pair is a number times that of each completion's log-probability, so a batch takes two passes: the first gives every row's log-probability, from which losses and their derivatives follow on
/// the host, in float64; the second is the ordinary accumulation, with the derivatives as the rows' weights. Nothing asks for both rows of a pair at the same time: they may be in any micro-batches, on any workers and ranks.
/// </summary>
/// <param name="method">What is minimized.</param>
/// <param name="reference">What the reference says of rows, by their numbers. Default null: it is to be measured, where the method has one.</param>
internal sealed class PreferenceObjective(PreferenceMethod method, double[]? reference = null)
{
    /// <summary>Rows of a pair, which follow one another: the chosen and the rejected completion; or a row, and its prompt with another row's completion.</summary>
    public const int RowsOfPair = 2;

    // Rows that are read into memory at a time while the reference is measured.
    private const int RowsTogether = 1 << 13;

    private double[] _reference = reference ?? [];    // by the number of the row, in 8 bytes each; empty where the method has none

    /// <summary>What is minimized.</summary>
    public PreferenceMethod Method => method;

    private bool IsMeasured => method.NeedsReference && reference is null;

    /// <summary>Keeps what the reference says of rows: the model before it is trained. New adapters add nothing yet, so that where they are trained, that is what the model says without them.</summary>
    /// <param name="scorer">Scores with the reference.</param>
    /// <param name="own">This rank's share of the rows.</param>
    /// <param name="count">How many rows there are; <see cref="TokenExample.Number"/> is a row's place among them.</param>
    /// <param name="cancellationToken">Looked at about once a micro-batch.</param>
    public void MeasureReference(RowScorer scorer, IEnumerable<TokenExample> own, int count, CancellationToken cancellationToken)
    {
        if (!IsMeasured)
            return;
        _reference = new double[count];
        foreach (TokenExample[] group in own.Chunk(RowsTogether))
        {
            foreach ((RowScore score, TokenExample row) in scorer.Score(group, cancellationToken).Zip(group))
                _reference[row.Number] = -score.LossSum;
        }
    }

    /// <summary>Adds up what the ranks have measured. Collective.</summary>
    /// <param name="ranks">The ranks.</param>
    public void ShareReference(IRankGroup ranks)
    {
        if (ranks.Size > 1 && IsMeasured)
            _reference = ranks.SumNumbers(_reference);
    }

    /// <summary>Lists the rows whose log-probabilities have a gradient, and then those that are only looked at.</summary>
    /// <param name="rows">Pairs.</param>
    public (IReadOnlyList<TokenExample> Trained, IReadOnlyList<TokenExample> Others) Part(IReadOnlyList<TokenExample> rows) =>
        method.IsPaired ? (rows, []) : ([.. rows.Where((_, i) => i % RowsOfPair == 0)], [.. rows.Where((_, i) => i % RowsOfPair != 0)]);

    /// <summary>Counts the target tokens that the gradient of a batch is of.</summary>
    /// <param name="rows">Pairs.</param>
    public long CountTargets(IReadOnlyList<TokenExample> rows) => Part(WholePairs(rows)).Trained.Sum(row => (long)row.TargetCount);

    /// <summary>Leaves out pairs of which a row has no target: there is nothing to compare.</summary>
    /// <param name="rows">Pairs.</param>
    public static IReadOnlyList<TokenExample> WholePairs(IReadOnlyList<TokenExample> rows) =>
        rows.All(row => row.HasTargets) ? rows : [.. rows.Chunk(RowsOfPair).Where(pair => pair.All(row => row.HasTargets)).SelectMany(pair => pair)];

    /// <summary>Computes losses and derivatives of a batch.</summary>
    /// <param name="first">What the first pass found of its rows, those of all ranks.</param>
    public PreferenceStep Weigh(FirstPass first)
    {
        IReadOnlyList<TokenExample> rows = first.Rows;
        double baseline = method.IsPaired ? 0 : Baseline(first);
        PreferenceStep step = new();
        for (int i = 0; i < rows.Count; i += RowsOfPair)
        {
            PairLikelihoods pair = new(Likelihood(first, i), Likelihood(first, i + 1), first.IsUndesirable(i));
            PairTerm term = method.Evaluate(pair, baseline);
            double weight = first.Weight(i);
            // The loss of a row of the second pass is -log p, so a derivative by log p is minus its weight. One row of a pair counts it.
            step.Add(rows[i], -weight * term.FirstSlope, weight);
            if (method.IsPaired)
                step.Add(rows[i + 1], -weight * term.SecondSlope, 0);
            step.Sums += method.IsPaired ? SumsOfPair(pair, term, weight) : SumsOfRow(pair, term, weight);
        }
        return step;
    }

    /// <summary>Computes losses and rewards of pairs as a scorer finds them, without a gradient.</summary>
    /// <param name="scorer">Scores with the model.</param>
    /// <param name="rows">Pairs, each of whose rows has a target.</param>
    /// <param name="cancellationToken">Looked at about once a micro-batch.</param>
    public PreferenceSums Measure(RowScorer scorer, IReadOnlyList<TokenExample> rows, CancellationToken cancellationToken)
    {
        FirstPass first = new(rows);
        first.Set([rows], [[.. scorer.Score(rows, cancellationToken).Select(score => -score.LossSum)]]);
        return Weigh(first).Sums;
    }

    private static PreferenceSums SumsOfPair(PairLikelihoods pair, PairTerm term, double weight) => new(weight * term.Loss, weight, term.FirstReward > term.SecondReward ? weight : 0)
    {
        Chosen = new(weight, weight * term.FirstReward, weight * pair.First.LogProbability),
        Rejected = new(weight, weight * term.SecondReward, weight * pair.Second.LogProbability),
    };

    private static PreferenceSums SumsOfRow(PairLikelihoods pair, PairTerm term, double weight)
    {
        RewardSums own = new(weight, weight * term.FirstReward, weight * pair.First.LogProbability);
        bool isRight = pair.IsUndesirable ? term.FirstReward < term.SecondReward : term.FirstReward > term.SecondReward;
        PreferenceSums sums = new(weight * term.Loss, weight, isRight ? weight : 0);
        return pair.IsUndesirable ? sums with { Rejected = own } : sums with { Chosen = own };
    }

    // z of KTO, a number of the whole batch.
    private double Baseline(FirstPass first)
    {
        double sum = 0, weights = 0;
        for (int i = 0; i < first.Rows.Count; i += RowsOfPair)
        {
            sum += first.Weight(i) * Likelihood(first, i + 1).LogRatio;
            weights += first.Weight(i);
        }
        return Math.Max(0, sum / weights);
    }

    private CompletionLikelihood Likelihood(FirstPass first, int i) =>
        new(first.LogProbability(i), _reference.Length == 0 ? 0 : _reference[first.Rows[i].Number], first.Rows[i].TargetCount);
}
