using MLNetExtension.Data;
using MLNetExtension.Training.Ranks;

namespace MLNetExtension.Training.Preference;

/// <summary>What is known of the rows of a batch after the first pass: their log-probabilities, and what they hold beside their tokens. Numbers, so that ranks, each of which reads its own rows alone, can add them up.</summary>
/// <param name="rows">All rows of the batch, each of which has a target.</param>
internal sealed class FirstPass(IReadOnlyList<TokenExample> rows)
{
    private const int NumbersOfRow = 3;

    private readonly Dictionary<TokenExample, int> _places = new(rows.Select((row, i) => KeyValuePair.Create(row, i)), ReferenceEqualityComparer.Instance);
    private double[] _numbers = new double[NumbersOfRow * rows.Count];

    /// <summary>All rows of the batch.</summary>
    public IReadOnlyList<TokenExample> Rows => rows;

    /// <summary>log p(y|x) of a row.</summary>
    public double LogProbability(int row) => _numbers[NumbersOfRow * row];

    /// <summary>The weight of a row.</summary>
    public double Weight(int row) => _numbers[NumbersOfRow * row + 1];

    /// <summary>Whether a row is undesirable.</summary>
    public bool IsUndesirable(int row) => _numbers[NumbersOfRow * row + 2] != 0;

    /// <summary>Takes in what micro-batches have given.</summary>
    /// <param name="microBatches">Rows of the batch.</param>
    /// <param name="logProbabilities">For each micro-batch, the log-probability of each row.</param>
    public void Set(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, double[][] logProbabilities)
    {
        foreach ((IReadOnlyList<TokenExample> microBatch, double[] values) in microBatches.Zip(logProbabilities))
        {
            foreach ((TokenExample row, double value) in microBatch.Zip(values))
            {
                int place = NumbersOfRow * _places[row];
                (_numbers[place], _numbers[place + 1], _numbers[place + 2]) = (value, row.Weight, row.IsUndesirable ? 1 : 0);
            }
        }
    }

    /// <summary>Adds up what the ranks know of their own rows. Collective.</summary>
    /// <param name="ranks">The ranks.</param>
    public void Share(IRankGroup ranks)
    {
        if (ranks.Size > 1)
            _numbers = ranks.SumNumbers(_numbers);
    }
}
