namespace MLNetExtension;

/// <summary>Where and how often training writes down how far it came, so that a later <c>Fit</c> resumes it.</summary>
public sealed record CheckpointOptions
{
    /// <summary>
    /// The folder. Where it holds a checkpoint of the same options and data, <c>Fit</c> resumes from there, bit for bit if <c>Batching.MaximumTokensPerMicroBatch</c> is set and time is not the
    /// limit; one of another training is refused. A seed must be set in the options or in the <c>MLContext</c>.
    /// </summary>
    /// <remarks>
    /// <para>
    /// The folder belongs to one training at a time: a second one is refused before it reads its rows. A training deletes none but its own checkpoints, of which it keeps the newest two. A checkpoint
    /// that cannot be written, be it that the disk is full, is a warning in <c>MLContext.Log</c>; the next is tried when it is due. There is to be room for three: each takes three times the
    /// trained weights in float32, four times with validation. On file systems without locks nothing keeps a second training out, and a warning says so.
    /// </para>
    /// <para>
    /// <c>MaximumSteps</c>, <c>MaximumEpochs</c> and <c>MaximumDuration</c> may differ, so that a training which has reached its limit can be extended: one of 10 steps, fitted again with a limit of
    /// 20, continues with step 11. The learning rate follows the schedule of the new limit from there on, and so rises again; the steps before have followed that of the old one.
    /// </para>
    /// </remarks>
    public required string Folder { get; init; }

    /// <summary>Optimizer steps between two checkpoints, at least 1; one more is written where the training ends. Default: 500.</summary>
    public int Interval { get; init; } = 500;

    /// <summary>
    /// Whether training starts from the beginning where the folder holds checkpoints, but none of them is whole. A checkpoint that is damaged is named in a warning, and the newest whole one is
    /// resumed from. Default: false; where none is whole, <c>Fit</c> throws an <see cref="InvalidDataException"/>.
    /// </summary>
    public bool RestartIfDamaged { get; init; }

    internal void Validate(string group)
    {
        Require.Name(Folder, group);
        Require.That(!Folder.Contains('\0'), Folder.Replace("\0", "\\0"), "a path without a null character", group, nameof(Folder));
        Require.That(Interval >= 1, Interval, "at least 1", group);
    }
}
