using MLNetExtension.Evaluation;
using MLNetExtension.MLNet.Schema;
using MLNetExtension.Models;
using MLNetExtension.Training;

namespace MLNetExtension.MLNet.Trainer;

/// <summary>The rows of <see cref="CausalLanguageModelTrainer.Options.Validation"/>, read once and scored whenever an evaluation is due.</summary>
/// <param name="options">The trainer's options, with a validation.</param>
/// <param name="rows">The rows, at least one of which has a target token and a weight.</param>
internal sealed class ValidationRows(CausalLanguageModelTrainer.Options options, RowReaderResult rows)
{
    /// <summary>The rows as examples.</summary>
    public RowReaderResult Rows => rows;

    /// <summary>Tells the training how to measure a model on these rows: sum over sum, in micro-batches as large as the training's may be.</summary>
    public Validation Measure(CausalLanguageModel model)
    {
        var scorer = new RowScorer(model, options.Batching.MaximumTokensPerMicroBatch ?? CausalLanguageModelTransformer.DefaultScoringTokens);
        return new Validation(cancellationToken => Loss(scorer, cancellationToken), options.Validation!.Interval, options.Validation.Patience);
    }

    private double Loss(RowScorer scorer, CancellationToken cancellationToken)
    {
        var sums = new MetricsAccumulator();
        foreach (var (score, example) in scorer.Score(rows.Examples, cancellationToken).Zip(rows.Examples))
            sums.Add(score, example.Weight);
        return sums.ToMetrics().Loss;
    }
}
