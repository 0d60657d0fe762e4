namespace MLNetExtension;

/// <summary>Where and how often training writes down how far it came, so that a later <c>Fit</c> resumes it.</summary>
public sealed record CheckpointOptions
{
    /// <summary>
    /// The folder. Where it holds a checkpoint of the same options and data, <c>Fit</c> resumes from there, bit for bit if <c>Batching.MaximumTokensPerMicroBatch</c> is set and time is not the
    /// limit; one of another training is refused. A seed must be set in the options or in the <c>MLContext</c>.
    /// </summary>
    /// <remarks>
    /// <c>MaximumSteps</c>, <c>MaximumEpochs</c> and <c>MaximumDuration</c> may differ, so that a training which has reached its limit can be extended: one of 10 steps, fitted again with a limit of
    /// 20, continues with step 11. The learning rate follows the schedule of the new limit from there on, and so rises again; the steps before have followed that of the old one.
    /// </remarks>
    public required string Folder { get; init; }

    /// <summary>Optimizer steps between two checkpoints, at least 1; one more is written where the training ends. Default: 500.</summary>
    public int Interval { get; init; } = 500;

    internal void Validate(string group)
    {
        Require.Name(Folder, group);
        Require.That(Interval >= 1, Interval, "at least 1", group);
    }
}
