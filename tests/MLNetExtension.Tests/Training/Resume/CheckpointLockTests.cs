using MLNetExtension.Tests.Hostile;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training.Resume;

namespace MLNetExtension.Tests.Training.Resume;

[TestClass]
public sealed class CheckpointLockTests
{
    [TestMethod]
    public void A_folder_that_cannot_be_written_is_left_as_it_was()
    {
        using TemporaryFolder folder = new();
        folder.Write(CheckpointFolder.ProbeName, "in the way of the probe");
        IOException error = Assert.ThrowsExactly<IOException>(() => CheckpointLock.Take(folder.Path));
        Assert.Contains($"Checkpoints.Folder '{folder.Path}' cannot be used: ", error.Message);
        CollectionAssert.AreEqual(new[] { CheckpointFolder.ProbeName }, folder.Names);
    }

    [TestMethod]
    public void A_folder_that_was_created_for_nothing_is_deleted_and_one_that_was_there_is_not()
    {
        using TemporaryFolder folder = new();
        CheckpointLock.Take(folder["new"]).Dispose();
        CheckpointLock.Take(folder.Path).Dispose();
        Assert.IsEmpty(folder.Names);
        using (CheckpointLock held = CheckpointLock.Take(folder["new"]))
        {
            Assert.IsTrue(held.IsEffective);
            folder.Write("new/notes.txt", "mine");
        }
        CollectionAssert.AreEqual(new[] { "new" }, folder.Names);
    }

    [TestMethod]
    [TestCategory("Hostile")]
    public void Another_process_holds_its_folder_until_it_is_killed()
    {
        using TemporaryFolder folder = new();
        using ChildProcess training = ChildProcess.Start(ChildPrograms.SamplesCommand, "train", "--data", folder.WritePrompts("rows.jsonl"), "--output", folder["out"],
            "--checkpoint", folder["checkpoints"], "--layers", "1", "--heads", "2", "--width", "16", "--context", "48", "--steps", "1000000");
        Assert.IsTrue(training.WaitFor("step 1 "), training.Output);
        IOException error = Assert.ThrowsExactly<IOException>(() => CheckpointLock.Take(folder["checkpoints"]));
        Assert.Contains("another training is using it", error.Message);

        training.Kill();

        CheckpointLock.Take(folder["checkpoints"]).Dispose();
    }
}
