using MLNetExtension.Data;
using MLNetExtension.MLNet.Schema;

namespace MLNetExtension.MLNet.Preference;

/// <summary>The columns of pairs that hold what a reference says of them.</summary>
internal sealed class ReferenceColumns
{
    private const string Use = "which is what the reference says of a completion";

    private readonly NumberByRow _chosen, _rejected;

    private ReferenceColumns(string chosen, string rejected) => (_chosen, _rejected) = (Create(chosen), Create(rejected));

    /// <summary>The columns as they are read.</summary>
    public IReadOnlyList<NumberByRow> Numbers => [_chosen, _rejected];

    /// <summary>Finds the columns among those of rows; null where they have none.</summary>
    public static ReferenceColumns? Of(InputColumns columns) =>
        columns is InputColumns.PairColumns { ChosenReference: { } chosen, RejectedReference: { } rejected } ? new(chosen, rejected) : null;

    /// <summary>Gives the reference's log-probability of each example, once the columns have been read.</summary>
    /// <param name="examples">The chosen and the rejected completion of each pair, one after the other.</param>
    public double[] ValuesOf(IReadOnlyList<TokenExample> examples) => [.. examples.Select((example, i) => (i % 2 == 0 ? _chosen : _rejected).ValueOf(example))];

    private static NumberByRow Create(string name) => new(name, Use) { Allowed = (value => value <= 0 && double.IsFinite(value), "a finite number of at most 0") };
}
