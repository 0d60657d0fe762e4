using MLNetExtension.Training.Reports;

namespace MLNetExtension.Tests.Samples;

/// <summary>Reports of steps that nobody took.</summary>
internal static class Reports
{
    /// <summary>A step of 100 target tokens and 1e8 operations in a tenth of a second, one second after training began.</summary>
    public static StepReport Step(int step) => new()
    {
        Step = step, Epoch = 1, Progress = 0.5, Outcome = StepOutcome.Applied, Loss = 2 + 1.0 / step, Accuracy = 0.5, LearningRate = 1e-3, GradientNorm = 1, TargetTokens = 100, TargetWeight = 100, Rows = 4, MicroBatches = 1, PaddingShare = 0,
        TokensPerMicroBatch = 128, Workers = 1, StepTime = TimeSpan.FromSeconds(0.1), Elapsed = TimeSpan.FromSeconds(1), TotalTargetTokens = 100L * step, ModelFlops = 1e8,
        Memory = new MemoryUse(200, 300, null),
    };
}
