namespace MLNetExtension;

/// <summary>Where and how often training writes down how far it came, so that a later <c>Fit</c> resumes it.</summary>
public sealed record CheckpointOptions
{
    /// <summary>
    /// The folder. Where it holds a checkpoint of the same options and data, <c>Fit</c> resumes from there, bit for bit if <c>Batching.MaximumTokensPerMicroBatch</c> is set and time is not the
    /// limit; one of another training is refused. A seed must be set in the options or in the <c>MLContext</c>.
    /// </summary>
    public required string Folder { get; init; }

    /// <summary>Optimizer steps between two checkpoints, at least 1; one more is written where the stop token ends the training. Default: 500.</summary>
    public int Interval { get; init; } = 500;

    internal void Validate(string group)
    {
        Require.Name(Folder, group);
        Require.That(Interval >= 1, Interval, "at least 1", group);
    }
}
