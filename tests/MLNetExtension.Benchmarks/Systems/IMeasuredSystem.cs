namespace MLNetExtension.Benchmarks.Systems;

/// <summary>A training or a scoring that takes the batches of a workload.</summary>
internal interface IMeasuredSystem : IDisposable
{
    /// <summary>Takes one optimizer step, or scores one batch.</summary>
    /// <param name="batch">Which of the workload's batches.</param>
    /// <returns>Loss of the batch in nats per target, before the update.</returns>
    double Step(int batch);

    /// <summary>What the system chose by itself, for the log; null if nothing.</summary>
    string? Remark { get; }
}
