using MLNetExtension.Files;
using Samples.Reporting;

namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class OutputFolderTests
{
    [TestMethod]
    public void The_first_commit_replaces_the_files_of_an_earlier_run_and_the_next_adds_to_them()
    {
        using TemporaryFolder folder = new();
        Directory.CreateDirectory(folder["out"]);
        folder.Write("out/old.txt", "old");

        using (OutputFolder output = new(folder["out"], _ => true))
        {
            File.WriteAllText(output["model"], "model");
            output.Commit();
            CollectionAssert.AreEqual(new[] { "model" }, NamesIn(folder["out"]));
            File.WriteAllText(output["report"], "report");
            Directory.CreateDirectory(output["more"]);
            output.Commit();
            File.WriteAllText(output["lost"], "not committed");
        }

        CollectionAssert.AreEqual(new[] { "model", "more", "report" }, NamesIn(folder["out"]));
        CollectionAssert.AreEqual(new[] { "out" }, folder.Names);
    }

    // What a process that was killed leaves behind. The other folder's process is alive: this one.
    [TestMethod]
    public void The_temporary_folder_of_a_dead_process_is_removed_and_that_of_a_living_one_is_not()
    {
        using TemporaryFolder folder = new();
        Directory.CreateDirectory(folder["out.partial-1"]);
        folder.Write("out.partial-1/model.zip", "half a model");
        folder.Write("out.partial-1.lock", "");
        Directory.CreateDirectory(folder["out.partial-2"]);
        using LockFile living = LockFile.TryTake(folder["out.partial-2.lock"])!;

        new OutputFolder(folder["out"], _ => true).Dispose();

        CollectionAssert.AreEqual(new[] { "out.partial-2", "out.partial-2.lock" }, folder.Names);
    }

    private static string[] NamesIn(string folder) => [.. Directory.EnumerateFileSystemEntries(folder).Select(entry => Path.GetFileName(entry)).Order(StringComparer.Ordinal)];
}
