using MLNetExtension.Data;

namespace MLNetExtension.Training.Preference;

/// <summary>The losses of a batch, and with what weights its rows go through the second pass.</summary>
internal sealed class PreferenceStep
{
    private readonly Dictionary<TokenExample, (double LossWeight, double Count)> _weights = new(ReferenceEqualityComparer.Instance);

    /// <summary>Sums over the pairs of the batch, those of all ranks.</summary>
    public PreferenceSums Sums { get; set; }

    /// <summary>Gives a row its weight.</summary>
    /// <param name="row">The row.</param>
    /// <param name="lossWeight">What the summed loss of the row's targets is multiplied by, of any sign.</param>
    /// <param name="count">What the row adds to the number by which the batch's gradient is divided.</param>
    public void Add(TokenExample row, double lossWeight, double count) => _weights.Add(row, (lossWeight, count));

    /// <summary>Gives rows as the second pass takes them.</summary>
    /// <param name="rows">Rows of the batch.</param>
    public IReadOnlyList<TokenExample> Apply(IReadOnlyList<TokenExample> rows) => [.. rows.Select(row => row.Reweigh(_weights[row].LossWeight, _weights[row].Count))];
}
