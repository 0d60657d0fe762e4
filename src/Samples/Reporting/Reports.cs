using MLNetExtension.Evaluation;

namespace Samples.Reporting;

/// <summary>Metrics of a model on rows, as in <see cref="CausalLanguageModelMetrics"/>.</summary>
internal sealed record MetricsReport(double Loss, double Perplexity, double BitsPerToken, double BitsPerByte, double Accuracy, long Tokens, long Rows)
{
    public static MetricsReport From(CausalLanguageModelMetrics metrics) =>
        new(metrics.Loss, metrics.Perplexity, metrics.BitsPerToken, metrics.BitsPerByte, metrics.Accuracy, metrics.Tokens, metrics.Rows);

    /// <summary>Whether two evaluations of the same weights agree: to 1e-5 of the loss, because a GPU may add in another order.</summary>
    public bool Agrees(MetricsReport other) => Tokens == other.Tokens && Rows == other.Rows && Math.Abs(Loss - other.Loss) <= 1e-5 * Math.Abs(Loss);
}

/// <summary>The rows of a job.</summary>
internal sealed record DataReport(string Source, int Rows, int SkippedRows, int TrainingRows, int HeldOutRows, int EvaluatedRows);

/// <summary>The trained model's completion of a held-out prompt, and the completion in the data.</summary>
internal sealed record SampleReport(string Prompt, string Generated, string Reference);

/// <summary>
/// The result of <c>train</c> or <c>finetune</c>, the content of metrics.json: metrics on the held-out rows before and after training, and of the model loaded back on the first
/// of them (null where that failed), the work, the settings of the command (JSON has the members of their own type) and texts that the model generated.
/// </summary>
internal sealed record TrainReport(
    MetricsReport Before, MetricsReport? After, MetricsReport? Reloaded, bool? ReloadedAgrees,
    int Steps, int Epochs, long TargetTokens, double TrainingSeconds, double TargetTokensPerSecond, double PeakMemoryMiB, double? ValidationLoss, int? BestStep,
    IReadOnlyDictionary<string, string> Packages, DataReport Data, object Settings, IReadOnlyList<SampleReport> Samples);
