using Samples.Errors;
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
        Json.WriteReport(file, "new");
        Assert.AreEqual("\"new\"\n", File.ReadAllText(file));
        CollectionAssert.AreEqual(new[] { "report.json" }, folder.Names);
    }

    [TestMethod]
    public void The_highest_values_are_clipped_so_that_a_spike_does_not_flatten_the_rest()
    {
        double[] values = [.. Enumerable.Range(0, 999).Select(i => 1 + i / 999.0), 1e6];
        LineChart chart = LineChart.Linear("gradient norm", 170, 0.995, new ChartLine("a", "accent", values));
        Assert.IsLessThan(3, chart.Maximum);
        Assert.IsGreaterThan(1e6, LineChart.Linear("gradient norm", 170, 1, new ChartLine("a", "accent", values)).Maximum);
    }

    [TestMethod]
    public void Thinned_indices_keep_the_first_and_the_last()
    {
        CollectionAssert.AreEqual(new[] { 0, 1, 2 }, ChartData.ThinIndices(3, 10));
        CollectionAssert.AreEqual(new[] { 0, 3, 6, 9, 10 }, ChartData.ThinIndices(11, 4));
        Assert.IsEmpty(ChartData.ThinIndices(0, 10));
    }
}
