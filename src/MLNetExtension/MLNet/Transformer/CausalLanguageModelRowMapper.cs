using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.MLNet.Schema;
using MLNetExtension.MLNet.Scoring;

namespace MLNetExtension.MLNet.Transformer;

/// <summary>Maps single rows, for ML.NET's prediction engine.</summary>
internal sealed class CausalLanguageModelRowMapper(ColumnBinding binding, RowScoring scoring) : IRowToRowMapper
{
    public DataViewSchema InputSchema => binding.InputSchema;

    public DataViewSchema OutputSchema => binding.OutputSchema;

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns) =>
        binding.Needed(binding.Active(dependingColumns));

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(activeColumns);
        if (input.Schema != InputSchema)
            throw new InvalidOperationException("Schema of input row must be the same as the schema the mapper is bound to");
        return new ScoredRow(input, binding, scoring, binding.Active(activeColumns));
    }
}
