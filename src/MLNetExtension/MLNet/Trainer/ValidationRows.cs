using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.MLNet.Schema;
using MLNetExtension.Training;
using MLNetExtension.Training.Preference;
using MLNetExtension.Training.Ranks;
using MLNetExtension.Training.Reports;

namespace MLNetExtension.MLNet.Trainer;

/// <summary>The rows of <see cref="CausalLanguageModelTrainer.Options.Validation"/>, read once and scored whenever an evaluation is due.</summary>
/// <param name="options">The trainer's options, with a validation.</param>
/// <param name="rows">The rows, at least one of which has a target token and a weight.</param>
/// <param name="reference">For each row what columns say the reference says of it; null where they do not.</param>
internal sealed class ValidationRows(CausalLanguageModelTrainer.Options options, RowReaderResult rows, double[]? reference = null)
{
    // Rows of like length go through the model together; more than these are not read into memory at a time.
    private const int RowsTogether = 1 << 13;

    /// <summary>The rows as examples.</summary>
    public RowReaderResult Rows => rows;

    /// <summary>For each of them what columns say the reference says; null where they do not.</summary>
    public double[]? Reference => reference;

    /// <summary>Tells the training how to measure a model on these rows: sum over sum, in micro-batches as large as the training's may be.</summary>
    /// <param name="model">The model.</param>
    /// <param name="ranks">Each measures its share of the rows.</param>
    public Validation Measure(TrainedLanguageModel model, IRankGroup ranks)
    {
        // Made anew for every evaluation: examples keep the ids that they have read.
        IEnumerable<TokenExample> own = rows.Examples.Where((_, i) => i % ranks.Size == ranks.Rank);
        var scorer = new RowScorer(model.Network, options.Batching.MaximumTokensPerMicroBatch, options.Batching.PackRows, options.Batching.Threads ?? ranks.Threads);
        Func<CancellationToken, IReadOnlyList<GeneratedSample>>? samples = options.Validation!.Prompts.Count == 0 || ranks.Rank != 0 ? null : new ValidationSamples(model, options).Generate;
        if (options.Preference is { } method)
            return MeasurePreferences(new PreferenceEvaluation(new PreferenceObjective(method, reference), rows.Examples, options.BatchSize, ranks), scorer, samples);
        return new Validation(cancellationToken => Sum(scorer, own, cancellationToken), options.Validation.Interval, options.Validation.Patience) { Samples = samples };
    }

    // The method's loss, by the number of pairs.
    private Validation MeasurePreferences(PreferenceEvaluation evaluation, RowScorer scorer, Func<CancellationToken, IReadOnlyList<GeneratedSample>>? samples) => new(
        cancellationToken =>
        {
            PreferenceSums sums = evaluation.Measure(scorer, cancellationToken);
            return (sums.Loss, sums.Pairs);
        },
        options.Validation!.Interval, options.Validation.Patience)
    {
        Samples = samples,
        Prepare = cancellationToken => evaluation.MeasureReference(scorer, cancellationToken),
    };

    private static (double Sum, double TargetCount) Sum(RowScorer scorer, IEnumerable<TokenExample> examples, CancellationToken cancellationToken)
    {
        var sums = new MetricsAccumulator();
        foreach (TokenExample[] group in examples.Chunk(RowsTogether))
        {
            foreach (var (score, example) in scorer.Score(group, cancellationToken).Zip(group))
                sums.Add(score, example.Weight);
        }
        return (sums.Sums.Loss, sums.Sums.TokenWeight);
    }
}
