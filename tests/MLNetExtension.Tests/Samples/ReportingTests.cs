using Samples;
using Samples.Reporting;

namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class ReportingTests
{
    private static bool IsOurs(string name) => name == "ours.txt";

    [TestMethod]
    public void An_output_folder_that_is_not_committed_leaves_no_trace()
    {
        using TemporaryFolder folder = new();
        using (OutputFolder output = new(folder["a/b/out"], IsOurs))
            File.WriteAllText(output["ours.txt"], "half");
        Assert.IsEmpty(folder.Names);
    }

    [TestMethod]
    public void A_committed_output_folder_takes_the_place_of_the_earlier_one()
    {
        using TemporaryFolder folder = new();
        foreach (string content in (string[])["first", "second"])
        {
            using OutputFolder output = new(folder["out"], IsOurs);
            File.WriteAllText(output["ours.txt"], content);
            output.Commit();
        }
        Assert.AreEqual("second", File.ReadAllText(folder["out/ours.txt"]));
        CollectionAssert.AreEqual(new[] { "out" }, folder.Names);
    }

    [TestMethod]
    public void A_file_that_another_program_puts_into_the_output_meanwhile_is_not_lost()
    {
        using TemporaryFolder folder = new();
        using OutputFolder output = new(folder["out"], IsOurs);
        Directory.CreateDirectory(folder["out"]);
        folder.Write("out/theirs.txt", "kept");
        Assert.ThrowsExactly<UserErrorException>(output.Commit);
        Assert.AreEqual("kept", File.ReadAllText(folder["out/theirs.txt"]));
    }

    [TestMethod]
    public void A_report_replaces_the_earlier_one_whole()
    {
        using TemporaryFolder folder = new();
        string file = folder.Write("report.json", "old and longer");
        AtomicFile.WriteAllText(file, "new");
        Assert.AreEqual("new", File.ReadAllText(file));
        CollectionAssert.AreEqual(new[] { "report.json" }, folder.Names);
    }

    [TestMethod]
    public void Axis_values_are_round()
    {
        CollectionAssert.AreEqual(new[] { 0, 0.001, 0.002, 0.003 }, Chart.Ticks(0, 0.0031, 3).ToArray());
        CollectionAssert.AreEqual(new[] { 2.0, 3, 4, 5 }, Chart.Ticks(1.7, 5.6, 5).ToArray());
    }
}
