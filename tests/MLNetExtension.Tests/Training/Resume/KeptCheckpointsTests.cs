using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training;
using MLNetExtension.Training.Resume;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Resume;

/// <summary>How many checkpoints are kept.</summary>
[TestClass]
public sealed class KeptCheckpointsTests
{
    [TestMethod]
    [DataRow(1, "10")]
    [DataRow(2, "9 10")]
    [DataRow(3, "8 9 10")]
    [DataRow(100, "1 2 3 4 5 6 7 8 9 10")]
    public void The_newest_are_kept(int kept, string expected)
    {
        using TemporaryFolder folder = new();
        Train(folder, 10, kept);
        Assert.AreEqual(expected, StepsIn(folder));
    }

    // What an earlier process wrote counts: a training that is resumed again and again keeps as many as one that is not.
    // Seen to fail with: those of an earlier process not spared.
    [TestMethod]
    [DataRow(3, 3, "5 6 7")]
    [DataRow(4, 2, "6 7")]
    [DataRow(2, 4, "4 5 6 7")]
    public void A_training_that_is_resumed_keeps_as_many(int before, int after, string expected)
    {
        using TemporaryFolder folder = new();
        Train(folder, 5, before);
        Train(folder, 6, after);
        Train(folder, 7, after);
        Assert.AreEqual(expected, StepsIn(folder));
    }

    // A checkpoint is deleted only when a newer one is whole: whoever keeps one is never without.
    [TestMethod]
    public void One_is_kept_until_the_next_is_whole()
    {
        using TemporaryFolder folder = new();
        List<string> seen = [];
        Train(folder, 4, 1, () => seen.Add(StepsIn(folder)));
        CollectionAssert.AreEqual(new[] { "1", "2", "3", "4" }, seen);
    }

    [TestMethod]
    public void To_keep_none_is_refused() => Assert.Contains("Checkpoints.Kept is 0; allowed is at least 1", Assert.ThrowsExactly<ArgumentOutOfRangeException>(
        () => new CheckpointOptions { Folder = "here", Kept = 0 }.Validate("Checkpoints")).Message);

    private static void Train(TemporaryFolder folder, int steps, int kept, Action? onStep = null)
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model(ScalarType.Float32);
        using CheckpointFolder opened = CheckpointFolder.Open(folder.Path, kept: kept);
        TrainingOptions options = new() { BatchSize = 4, MaximumSteps = steps };
        TrainingLoop.Run(new TrainingRun(model, Ragged.Examples(6), options, Seed: 1) { OnStep = _ => onStep?.Invoke(), Checkpoints = new CheckpointManager(opened, 1, new Dictionary<string, string>()) });
    }

    private static string StepsIn(TemporaryFolder folder) =>
        string.Join(' ', Directory.GetDirectories(folder.Path, "step-*").Select(path => int.Parse(Path.GetFileName(path)["step-".Length..], System.Globalization.CultureInfo.InvariantCulture)).Order());
}
