using Microsoft.ML;
using MLNetExtension.Data;
using MLNetExtension.Data.Store;
using MLNetExtension.MLNet.Schema;
using MLNetExtension.MLNet.Scoring;
using MLNetExtension.Training.Preference;
using MLNetExtension.Training.Ranks;

namespace MLNetExtension.MLNet.Preference;

/// <summary>Measures preferences with a trained model.</summary>
internal static class PreferenceScoring
{
    // Rows that share a z, where rows are no pairs: as in a batch of the usual size.
    private const int RowsOfBatch = 8;

    /// <summary>Reads pairs and measures them. What a model of several ranks measures is split among them, and all get the same sums.</summary>
    /// <param name="data">Has the columns.</param>
    /// <param name="columns">The columns.</param>
    /// <param name="method">What the rewards are.</param>
    /// <param name="model">Scores with the model.</param>
    /// <param name="reference">Scores with the reference; null where that is the model itself, so that all rewards of a reference are 0.</param>
    /// <param name="cancellationToken">Looked at about once a micro-batch.</param>
    /// <exception cref="InvalidOperationException">There is no pair to measure.</exception>
    public static PreferenceMetrics Measure(IDataView data, InputColumns columns, PreferenceMethod method, RowScoring model, RowScoring? reference, CancellationToken cancellationToken)
    {
        InputSchema.Check(data.Schema, columns, nameof(data));
        IRankGroup ranks = model.Ranks;
        ReferenceColumns? columnsOfReference = ReferenceColumns.Of(columns);
        using RowReaderResult rows = Read(new RowSource(data, columns, columnsOfReference?.Numbers ?? []), model, cancellationToken);
        long pairs = rows.Examples.Count / PreferenceObjective.RowsOfPair;
        if (pairs == 0)
            throw new InvalidOperationException($"There is nothing to evaluate: none of the {rows.Counts.Rows} rows has a completion within the model's context and a weight above 0.");
        PreferenceEvaluation evaluation = new(new PreferenceObjective(method, columnsOfReference?.ValuesOf(rows.Examples)), rows.Examples, RowsOfBatch, ranks);
        PreferenceSums own = default;
        ranks.RunTogether(() =>
        {
            evaluation.MeasureReference((reference ?? model).Scorer, cancellationToken);
            own = evaluation.Measure(model.Scorer, cancellationToken);
        });
        return new PreferenceMetrics(ranks.Size == 1 ? own : PreferenceSums.FromNumbers(ranks.SumNumbers(own.ToNumbers())), pairs, rows.Counts.Rows - pairs);
    }

    private static RowReaderResult Read(RowSource source, RowScoring model, CancellationToken cancellationToken)
    {
        TokenExampleEncoder encoder = new(model.Model.Tokenizer, model.Model.Network.ContextLength);
        (RowReaderResult rows, RowReaderResult none) = RowReader.ReadSplit(source, encoder, new StoreSettings(), cancellationToken);
        none.Dispose();
        return rows;
    }
}
