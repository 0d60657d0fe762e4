using MLNetExtension.Evaluation;
using MLNetExtension.Training.Accumulation;

namespace Samples.Reporting;

/// <summary>Metrics of a model on rows.</summary>
/// <param name="Loss">Nats per target token.</param>
/// <param name="Perplexity">exp(loss).</param>
/// <param name="BitsPerToken">loss / ln 2.</param>
/// <param name="BitsPerByte">Bits per UTF-8 byte of the target text.</param>
/// <param name="Accuracy">Share of target tokens to which the model gives the highest probability.</param>
/// <param name="Tokens">Target tokens.</param>
/// <param name="Rows">Rows with a target token.</param>
internal sealed record MetricsReport(double Loss, double Perplexity, double BitsPerToken, double BitsPerByte, double Accuracy, long Tokens, long Rows)
{
    public static MetricsReport From(CausalLanguageModelMetrics metrics) =>
        new(metrics.Loss, metrics.Perplexity, metrics.BitsPerToken, metrics.BitsPerByte, metrics.Accuracy, metrics.Tokens, metrics.Rows);

    /// <summary>Whether two evaluations of the same weights agree: to 1e-5 of the loss, because a GPU may add in another order.</summary>
    public bool Agrees(MetricsReport other) => Tokens == other.Tokens && Rows == other.Rows && Math.Abs(Loss - other.Loss) <= 1e-5 * Math.Abs(Loss);
}

/// <summary>The rows of a job.</summary>
internal sealed record DataReport(string Source, int Rows, int SkippedRows, int TrainingRows, int HeldOutRows, int EvaluatedRows);

/// <summary>How <c>train</c> trained.</summary>
internal sealed record SettingsReport(
    int Layers, int Heads, int Width, int Context, int BatchSize, int? MicroBatchTokens, LossNormalization LossNormalization, double LearningRate, int Seed, string Device);

/// <summary>How <c>finetune</c> trained.</summary>
internal sealed record FinetuneSettingsReport(
    string Base, int? Rank, double? Alpha, IReadOnlyList<string>? Targets, int Context, int BatchSize, int? MicroBatchTokens, string Precision, double LearningRate, int Seed, string Device);

/// <summary>A text that the trained model generated.</summary>
/// <param name="Prompt">A held-out prompt.</param>
/// <param name="Generated">The model's completion.</param>
/// <param name="Reference">The completion in the data.</param>
internal sealed record SampleReport(string Prompt, string Generated, string Reference);

/// <summary>The result of <c>train</c> or <c>finetune</c>: the content of metrics.json.</summary>
/// <param name="Before">Metrics before training, on the held-out rows.</param>
/// <param name="After">Metrics after training.</param>
/// <param name="Reloaded">Metrics of the saved model after loading it back.</param>
/// <param name="ReloadedAgrees">Whether these agree; a job whose metrics do not agree fails.</param>
/// <param name="Steps">Optimizer steps.</param>
/// <param name="Epochs">Passes over the rows that were started.</param>
/// <param name="TargetTokens">Target tokens that were trained on.</param>
/// <param name="TrainingSeconds">Duration of the training.</param>
/// <param name="TargetTokensPerSecond">Target tokens per second of training.</param>
/// <param name="PeakMemoryMiB">Peak memory of the process.</param>
/// <param name="Packages">Versions of the packages.</param>
/// <param name="Data">The rows.</param>
/// <param name="Settings">A <see cref="SettingsReport"/> or a <see cref="FinetuneSettingsReport"/>; JSON has the members of its own type.</param>
/// <param name="Samples">Generated texts.</param>
internal sealed record TrainReport(
    MetricsReport Before, MetricsReport After, MetricsReport Reloaded, bool ReloadedAgrees,
    int Steps, int Epochs, long TargetTokens, double TrainingSeconds, double TargetTokensPerSecond, double PeakMemoryMiB,
    IReadOnlyDictionary<string, string> Packages, DataReport Data, object Settings, IReadOnlyList<SampleReport> Samples);

/// <summary>The result of <c>evaluate</c>.</summary>
internal sealed record EvaluateReport(string Model, string Data, MetricsReport Metrics, double Seconds, IReadOnlyDictionary<string, string> Packages);

/// <summary>The result of <c>generate</c>.</summary>
internal sealed record GenerateReport(string Model, string Prompt, string Generated, double Seconds, IReadOnlyDictionary<string, string> Packages);
