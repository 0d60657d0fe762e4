namespace MLNetExtension.Training.Resume;

/// <summary>What a checkpoint stores beside its tensors, as JSON.</summary>
/// <param name="FormatVersion">The version of the format.</param>
/// <param name="Settings">Settings and data, by name, that must be the same for the run to be resumed.</param>
/// <param name="Steps">Optimizer steps taken.</param>
/// <param name="Updates">Updates of the weights.</param>
/// <param name="Elapsed">Time spent training.</param>
/// <param name="TargetTokens">Target tokens trained on.</param>
/// <param name="Best">The best evaluation so far; null where there was none.</param>
internal sealed record CheckpointMetadata(
    int FormatVersion, IReadOnlyDictionary<string, string> Settings, int Steps, int Updates, TimeSpan Elapsed, long TargetTokens, CheckpointMetadata.BestEvaluation? Best)
{
    /// <summary>The version that this library writes, and the newest that it reads.</summary>
    public const int CurrentVersion = 1;

    /// <param name="Loss">The lowest loss, in nats per target token; null where none was a number, and then there are no best weights.</param>
    /// <param name="Step">The step after which it was measured.</param>
    /// <param name="LastStep">The step after which a loss was last measured.</param>
    /// <param name="WithoutImprovement">Evaluations since the best.</param>
    internal sealed record BestEvaluation(double? Loss, int Step, int LastStep, int WithoutImprovement);
}
