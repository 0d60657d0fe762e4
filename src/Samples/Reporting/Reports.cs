using MLNetExtension.Evaluation;
using MLNetExtension.Training.Accumulation;

namespace Samples.Reporting;

/// <summary>Metrics of a model on rows.</summary>
/// <param name="Loss">Nats per target token.</param>
/// <param name="Perplexity">exp(loss).</param>
/// <param name="BitsPerToken">loss / ln 2.</param>
/// <param name="BitsPerByte">Bits per UTF-8 byte of the text that the targets spell.</param>
/// <param name="Accuracy">Share of target tokens that the model thinks the likeliest.</param>
/// <param name="Tokens">Target tokens.</param>
/// <param name="Rows">Rows with a target token.</param>
internal sealed record MetricsReport(double Loss, double Perplexity, double BitsPerToken, double BitsPerByte, double Accuracy, long Tokens, long Rows)
{
    public static MetricsReport From(CausalLanguageModelMetrics metrics) =>
        new(metrics.Loss, metrics.Perplexity, metrics.BitsPerToken, metrics.BitsPerByte, metrics.Accuracy, metrics.Tokens, metrics.Rows);

    /// <summary>Whether two evaluations of the same weights agree: to 1e-5 of the loss, because a GPU may add up in another order.</summary>
    public bool Agrees(MetricsReport other) => Tokens == other.Tokens && Rows == other.Rows && Math.Abs(Loss - other.Loss) <= 1e-5 * Math.Abs(Loss);
}

/// <summary>What was trained on.</summary>
internal sealed record DataReport(string Source, int Rows, int SkippedRows, int TrainingRows, int HeldOutRows, int EvaluatedRows);

/// <summary>How it was trained.</summary>
internal sealed record SettingsReport(
    int Layers, int Heads, int Width, int Context, int BatchSize, int? MicroBatchTokens, LossNormalization LossNormalization, double LearningRate, int Seed, string Device);

/// <summary>A text that the trained model wrote.</summary>
/// <param name="Prompt">A prompt that was held out.</param>
/// <param name="Generated">What the model wrote.</param>
/// <param name="Reference">What stands there in the data.</param>
internal sealed record SampleReport(string Prompt, string Generated, string Reference);

/// <summary>What the main job reports: the content of metrics.json.</summary>
internal sealed record TrainReport(
    MetricsReport Before, MetricsReport After, MetricsReport Reloaded, bool ReloadedAgrees,
    int Steps, int Epochs, long TargetTokens, double TrainingSeconds, double TargetTokensPerSecond, double PeakMemoryMiB,
    IReadOnlyDictionary<string, string> Packages, DataReport Data, SettingsReport Settings, IReadOnlyList<SampleReport> Samples);

/// <summary>How a published model was fine-tuned.</summary>
internal sealed record FinetuneSettingsReport(
    string Base, int? Rank, double? Alpha, IReadOnlyList<string>? Targets, int Context, int BatchSize, int? MicroBatchTokens, string Precision, double LearningRate, int Seed, string Device);

/// <summary>What <c>finetune</c> reports: the content of its metrics.json.</summary>
internal sealed record FinetuneReport(
    MetricsReport Before, MetricsReport After, int Steps, int Epochs, long TargetTokens, double TrainingSeconds, double TargetTokensPerSecond, double PeakMemoryMiB,
    IReadOnlyDictionary<string, string> Packages, DataReport Data, FinetuneSettingsReport Settings, IReadOnlyList<SampleReport> Samples);

/// <summary>What <c>evaluate</c> reports.</summary>
internal sealed record EvaluateReport(string Model, string Data, MetricsReport Metrics, double Seconds, IReadOnlyDictionary<string, string> Packages);

/// <summary>What <c>generate</c> reports.</summary>
internal sealed record GenerateReport(string Model, string Prompt, string Generated, double Seconds, IReadOnlyDictionary<string, string> Packages);
