using MLNetExtension.Files;
using MLNetExtension.Tests.Samples;

namespace MLNetExtension.Tests.Files;

[TestClass]
public sealed class StagedFilesTests
{
    private const string Marker = "marker.json";

    [TestMethod]
    public void Files_replace_earlier_ones_and_leave_others_alone()
    {
        using TemporaryFolder folder = new();
        folder.Write("weights.1", "old");
        folder.Write("notes.txt", "mine");
        folder.Write(Marker, "old");
        using (StagedFiles files = StagedFiles.CreateIn(folder.Path))
        {
            Stage(files, Marker, "weights.2");
            Assert.AreEqual("old", File.ReadAllText(folder[Marker]), "before the end nothing has changed");
            files.MoveInto(folder.Path, Marker, name => name.StartsWith("weights.", StringComparison.Ordinal));
        }
        CollectionAssert.AreEquivalent(new[] { Marker, "notes.txt", "weights.2" }, folder.Names);
        Assert.AreEqual("new", File.ReadAllText(folder[Marker]));
    }

    // A folder in the way stops the move of the second file, as a crash there would.
    [TestMethod]
    public void A_move_that_stops_half_way_leaves_no_marker()
    {
        using TemporaryFolder folder = new();
        folder.Write(Marker, "old");
        Directory.CreateDirectory(folder["b"]);
        using (StagedFiles files = StagedFiles.CreateIn(folder.Path))
        {
            Stage(files, Marker, "a", "b");
            Assert.Throws<Exception>(() => files.MoveInto(folder.Path, Marker, _ => false));
        }
        CollectionAssert.AreEquivalent(new[] { "a", "b" }, folder.Names);
    }

    // Seen to fail with: the earlier file deleted before the new one was in its place.
    [TestMethod]
    public void A_single_file_that_cannot_be_moved_leaves_the_earlier_one()
    {
        using TemporaryFolder folder = new();
        folder.Write(Marker, "old");
        using (StagedFiles files = new(folder["temporary"]))
        {
            Stage(files, Marker);
            File.Delete(folder["temporary/" + Marker]);
            Assert.ThrowsExactly<FileNotFoundException>(() => files.MoveInto(folder.Path, Marker, _ => false));
        }
        Assert.AreEqual("old", File.ReadAllText(folder[Marker]));
    }

    // Another thread looks for it all the while. Seen to fail with: two renames, between which there was none.
    [TestMethod]
    [OSCondition(OperatingSystems.Linux)]
    public void A_folder_is_there_at_every_moment_while_another_takes_its_place()
    {
        using TemporaryFolder folder = new();
        string target = folder["target"];
        Directory.CreateDirectory(target);
        using CancellationTokenSource done = new();
        Task<int> missing = Task.Run(() =>
        {
            int count = 0;
            while (!done.IsCancellationRequested)
                count += Directory.Exists(target) ? 0 : 1;
            return count;
        });
        for (int i = 0; i < 500; i++)
        {
            using StagedFiles files = new(folder["target.partial"]);
            files.MoveTo(target);
        }
        done.Cancel();
        Assert.AreEqual(0, missing.Result);
    }

    [TestMethod]
    public void A_folder_takes_the_place_of_an_earlier_one()
    {
        using TemporaryFolder folder = new();
        Directory.CreateDirectory(folder["target"]);
        folder.Write("target/old", "old");
        using (StagedFiles files = new(folder["target.partial"]))
        {
            Stage(files, "a");
            files.MoveTo(folder["target"]);
        }
        CollectionAssert.AreEquivalent(new[] { "target" }, folder.Names);
        CollectionAssert.AreEqual(new[] { "a" }, Directory.GetFiles(folder["target"]).Select(Path.GetFileName).ToArray());
    }

    // Seen to fail with: the earlier folder deleted before the new one was in its place.
    [TestMethod]
    public void A_folder_that_cannot_be_moved_leaves_the_earlier_one()
    {
        using TemporaryFolder folder = new();
        Directory.CreateDirectory(folder["target"]);
        folder.Write("target/old", "old");
        using (StagedFiles files = new(folder["target.partial"]))
        {
            Directory.Delete(folder["target.partial"]);
            Assert.ThrowsExactly<DirectoryNotFoundException>(() => files.MoveTo(folder["target"]));
        }
        Assert.AreEqual("old", File.ReadAllText(folder["target/old"]));
    }

    private static void Stage(StagedFiles files, params string[] names)
    {
        foreach (string name in names)
            files.Write(name, stream => stream.Write("new"u8));
    }
}
