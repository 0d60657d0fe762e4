using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.MLNet.Schema;
using MLNetExtension.Models;
using MLNetExtension.Training;

namespace MLNetExtension.MLNet.Trainer;

/// <summary>The rows of <see cref="CausalLanguageModelTrainer.Options.Validation"/>, read once and scored whenever an evaluation is due.</summary>
internal sealed class ValidationRows
{
    private readonly CausalLanguageModelTrainer.Options _options;

    private ValidationRows(CausalLanguageModelTrainer.Options options, RowReaderResult rows) => (_options, Rows) = (options, rows);

    /// <summary>The rows as examples.</summary>
    public RowReaderResult Rows { get; }

    /// <summary>Reads the validation set, with the columns and the encoding of the training data; null where the options name none.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of another type.</exception>
    /// <exception cref="InvalidOperationException">No row has a target token and a weight.</exception>
    public static ValidationRows? Read(CausalLanguageModelTrainer.Options options, TokenExampleEncoder encoder)
    {
        if (options.Validation?.Rows is not { } data)
            return null;
        InputSchema.Check(data.Schema, options.Columns, "Validation.Rows");
        var rows = RowReader.ReadAll(data, options.Columns, encoder, options.CancellationToken);
        return rows.Examples.Count > 0
            ? new ValidationRows(options, rows)
            : throw new InvalidOperationException(TrainingReport.DescribeNoValidationTargets(rows, options));
    }

    /// <summary>Says to the training how to measure a model on these rows: sum over sum, in micro-batches as large as the training's may be.</summary>
    public Validation Measure(CausalLanguageModel model)
    {
        var scorer = new RowScorer(model, _options.Batching.MaximumTokensPerMicroBatch ?? CausalLanguageModelTransformer.DefaultScoringTokens);
        return new Validation(() => Loss(scorer), _options.Validation!.Interval, _options.Validation.Patience);
    }

    private double Loss(RowScorer scorer)
    {
        var sums = new MetricsAccumulator();
        foreach (var (score, example) in scorer.Score(Rows.Examples).Zip(Rows.Examples))
            sums.Add(score, example.Weight);
        return sums.ToMetrics().Loss;
    }
}
