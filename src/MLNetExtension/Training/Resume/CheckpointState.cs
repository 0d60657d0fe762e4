namespace MLNetExtension.Training.Resume;

/// <summary>What a checkpoint holds beside its tensors.</summary>
/// <param name="FormatVersion">The version of the layout.</param>
/// <param name="Settings">What must be the same for the training to go on.</param>
/// <param name="Steps">Optimizer steps taken.</param>
/// <param name="Updates">Updates of the weights.</param>
/// <param name="Elapsed">Time spent training.</param>
/// <param name="TargetTokens">Target tokens seen.</param>
/// <param name="Best">What validation had found; null where nothing was measured.</param>
internal sealed record CheckpointState(
    int FormatVersion, IReadOnlyDictionary<string, string> Settings, int Steps, int Updates, TimeSpan Elapsed, long TargetTokens, CheckpointState.Measured? Best)
{
    /// <summary>The version that this library writes, and the newest it reads.</summary>
    public const int CurrentVersion = 1;

    /// <param name="Loss">The lowest loss; null where none was a number, and then there are no best weights.</param>
    /// <param name="Step">The step after which it was measured.</param>
    /// <param name="LastStep">The step after which a loss was last measured.</param>
    /// <param name="WithoutImprovement">Evaluations since the best.</param>
    internal sealed record Measured(double? Loss, int Step, int LastStep, int WithoutImprovement);
}
