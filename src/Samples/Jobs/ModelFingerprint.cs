using Microsoft.ML;
using Samples.Reporting;

namespace Samples.Jobs;

/// <summary>What shows that a model that was loaded back is the one that was saved: its weights, bit for bit, and what the whole pipeline makes of a few held-out rows.</summary>
/// <param name="Weights">Their hash.</param>
/// <param name="Metrics">On the first of the evaluated rows: to evaluate all of them again would show nothing more, and takes a share of the training's time.</param>
internal sealed record ModelFingerprint(string Weights, MetricsReport Metrics)
{
    private const int Rows = 16;

    /// <summary>Takes the fingerprint of a model.</summary>
    public static ModelFingerprint Of(MLContext mlContext, TrainedModel model, RowSplit split) =>
        new(model.LanguageModel.Model.HashWeights(), RowSplit.Evaluate(mlContext, model.Transformer, mlContext.Data.TakeRows(split.Evaluated, Rows)));

    /// <summary>Says in what the loaded model differs; null where it does not.</summary>
    public string? DifferenceFrom(ModelFingerprint loaded) =>
        Weights != loaded.Weights ? "it has other weights"
        : !Metrics.Agrees(loaded.Metrics) ? FormattableString.Invariant($"its loss on {Metrics.Rows} held-out rows is {loaded.Metrics.Loss}, not {Metrics.Loss}")
        : null;
}
