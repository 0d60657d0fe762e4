using MLNetExtension;

namespace Samples.Reporting;

/// <summary>How a model does on held-out pairs, and how long the texts are that it writes for held-out prompts, in characters.</summary>
internal sealed record PreferFigures(
    double Loss, double Accuracy, double RewardMargin, double ChosenReward, double RejectedReward, double ChosenLogProbability, double RejectedLogProbability, double MeanLength)
{
    public static PreferFigures From(PreferenceMetrics metrics, IReadOnlyList<string> texts) => new(
        metrics.Loss, metrics.Accuracy, metrics.RewardMargin, metrics.ChosenReward, metrics.RejectedReward, metrics.ChosenLogProbability, metrics.RejectedLogProbability, texts.Average(text => (double)text.Length));
}

/// <summary>What a model wrote for a held-out prompt before and after.</summary>
internal sealed record PreferSample(string Prompt, string Before, string After);

/// <summary>The result of <c>prefer</c>.</summary>
internal sealed record PreferReport(
    string Model, string Method, double LearningRate, int TrainingPairs, int HeldOutPairs, int Prompts, int Steps, double TrainingSeconds, double TargetTokensPerSecond,
    PreferFigures Before, PreferFigures After, IReadOnlyList<PreferSample> Samples, IReadOnlyDictionary<string, string> Packages);
