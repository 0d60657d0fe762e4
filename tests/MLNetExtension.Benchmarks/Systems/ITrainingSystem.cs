namespace MLNetExtension.Benchmarks.Systems;

/// <summary>Something that learns from the windows of a workload.</summary>
internal interface ITrainingSystem : IDisposable
{
    /// <summary>Takes one optimizer step.</summary>
    /// <param name="window">Which of the workload's windows.</param>
    /// <returns>Loss of the window in nats per target, before the update.</returns>
    double Step(int window);

    /// <summary>What the system has settled on by itself, for the log; null where there is nothing to say.</summary>
    string? Remark { get; }
}
