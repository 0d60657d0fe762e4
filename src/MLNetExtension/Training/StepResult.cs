using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Preference;
using MLNetExtension.Training.Reports;

namespace MLNetExtension.Training;

/// <summary>What an optimizer step gave.</summary>
/// <param name="Loss">The figures of its batch.</param>
/// <param name="Outcome">Whether the weights were updated.</param>
/// <param name="PaddingShare">Share of the positions computed that were padding, 0 to 1.</param>
/// <param name="LearningRate">Its learning rate.</param>
/// <param name="Duration">How long it took.</param>
internal readonly record struct StepResult(BatchLoss Loss, StepOutcome Outcome, double PaddingShare, double LearningRate, TimeSpan Duration)
{
    /// <summary>Sums over its pairs; null where it has none, or they are not what is trained on.</summary>
    public PreferenceSums? Preference { get; init; }
}
