using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.Training.Ranks;

namespace MLNetExtension.Training.Preference;

/// <summary>Measures the losses and rewards of pairs that are not trained on.</summary>
/// <param name="objective">The method, with a reference for these rows.</param>
/// <param name="examples">Pairs, each of whose rows has a target; <see cref="TokenExample.Number"/> is a row's place in the list.</param>
/// <param name="batchSize">How many rows without pairs share a z, as in a batch of the training.</param>
/// <param name="ranks">Each measures its share.</param>
internal sealed class PreferenceEvaluation(PreferenceObjective objective, IReadOnlyList<TokenExample> examples, int batchSize, IRankGroup ranks)
{
    // Pairs that are read into memory at a time.
    private const int PairsTogether = 1 << 12;

    /// <summary>Keeps what the reference says of this rank's rows.</summary>
    /// <param name="scorer">Scores with the reference.</param>
    /// <param name="cancellationToken">Looked at about once a micro-batch.</param>
    public void MeasureReference(RowScorer scorer, CancellationToken cancellationToken) =>
        objective.MeasureReference(scorer, OwnGroups().SelectMany(group => group), examples.Count, cancellationToken);

    /// <summary>Adds up losses and rewards of this rank's pairs.</summary>
    /// <param name="scorer">Scores with the model.</param>
    /// <param name="cancellationToken">Looked at about once a micro-batch.</param>
    public PreferenceSums Measure(RowScorer scorer, CancellationToken cancellationToken) =>
        OwnGroups().Aggregate(default(PreferenceSums), (sums, group) => sums + objective.Measure(scorer, group, cancellationToken));

    // Made anew each time: examples keep the ids that they have read. Whatever the number of ranks, groups are the same.
    private IEnumerable<TokenExample[]> OwnGroups() =>
        examples.Chunk(PreferenceObjective.RowsOfPair * (objective.Method.IsPaired ? PairsTogether : batchSize)).Where((_, i) => i % ranks.Size == ranks.Rank);
}
