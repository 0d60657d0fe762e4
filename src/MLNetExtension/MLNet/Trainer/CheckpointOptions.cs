using MLNetExtension.Training;
using MLNetExtension.Training.Resume;

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
    /// The folder belongs to one training at a time: a second one is refused before it reads its rows. A training deletes none but its own checkpoints, of which it keeps the newest (<see cref="Kept"/>). A checkpoint
    /// that cannot be written, be it that the disk is full, is a warning in <c>MLContext.Log</c>; the next is tried when it is due. There is to be room for one more than are kept: each takes three times the
    /// trained weights in float32 with AdamW, and with validation once more for the best weights so far, which every checkpoint holds. On file systems without locks nothing keeps a second training out, and a warning says so.
    /// </para>
    /// <para>
    /// <c>MaximumSteps</c>, <c>MaximumEpochs</c> and <c>MaximumDuration</c> may differ, so that a training which has reached its limit can be extended: one of 10 steps, fitted again with a limit of
    /// 20, continues with step 11. The learning rate follows the schedule of the new limit from there on, and so rises again; the steps before have followed that of the old one.
    /// </para>
    /// </remarks>
    public required string Folder { get; init; }

    /// <summary>How often a checkpoint is written: a number of optimizer steps, at least 1, or <c>TrainingInterval.Epochs(0.5)</c>; one more is written where the training ends. Default: 500 steps.</summary>
    public TrainingInterval Interval { get; init; } = 500;

    /// <summary>
    /// How many checkpoints are kept, the newest ones; older ones are deleted once a newer one is whole. At least 1, which leaves none to fall back on where a disk loses what it has reported as written. Default: 2. The best
    /// weights by validation are in each of them, so none need be kept for its sake.
    /// </summary>
    public int Kept { get; init; } = CheckpointFolder.DefaultKept;

    /// <summary>
    /// Whether training starts from the beginning where the folder holds checkpoints, but none of them is whole. A checkpoint that is damaged is named in a warning, and the newest whole one is
    /// resumed from. Default: false; where none is whole, <c>Fit</c> throws an <see cref="InvalidDataException"/>.
    /// </summary>
    public bool RestartIfDamaged { get; init; }

    internal void Validate(string group)
    {
        Require.Name(Folder, group);
        Require.That(!Folder.Contains('\0'), Folder.Replace("\0", "\\0"), "a path without a null character", group, nameof(Folder));
        Interval.Validate(group, nameof(Interval));
        Require.That(Kept >= 1, Kept, "at least 1", group);
    }
}
