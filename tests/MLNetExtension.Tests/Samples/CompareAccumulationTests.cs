using System.Text.Json;
using System.Xml.Linq;
using Samples.Reporting;

namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class CompareAccumulationTests
{
    [TestMethod]
    public void A_comparison_writes_a_list_with_an_element_for_every_normalization_and_split()
    {
        using TemporaryFolder folder = new();
        (int exitCode, string output, string error) = CompareTiny(folder.WritePrompts("rows.jsonl"), folder["out"], "--json", folder["report.json"]);

        Assert.AreEqual((0, ""), (exitCode, error));
        CollectionAssert.AreEqual(new[] { "out", "report.json", "rows.jsonl" }, folder.Names);
        CollectionAssert.AreEqual(new[] { "accumulation.html" }, Directory.GetFiles(folder["out"]).Select(file => Path.GetFileName(file)).ToArray());
        using JsonDocument report = JsonDocument.Parse(File.ReadAllText(folder["report.json"]));
        JsonElement[] runs = [.. report.RootElement.EnumerateArray()];
        CollectionAssert.AreEqual(
            new[] { "Token 1x8", "Token 4x2", "Token 8x1", "MicroBatchMean 1x8", "MicroBatchMean 4x2", "MicroBatchMean 8x1", "Sum 1x8", "Sum 4x2", "Sum 8x1" },
            runs.Select(run => $"{run.GetProperty("normalization").GetString()} {run.GetProperty("cut").GetString()}").ToArray());
        foreach (JsonElement run in runs)
        {
            CollectionAssert.AreEqual(
                new[] { "normalization", "cut", "ranks", "gradientRelativeError", "gradientNormError", "loss", "weightDistance" }, run.EnumerateObject().Select(property => property.Name).ToArray());
            Assert.AreEqual(Math.Log(257), run.GetProperty("loss").GetDouble(), 0.3, "a hardly trained model");
        }
        Assert.IsLessThan(1e-12, runs[2].GetProperty("gradientRelativeError").GetDouble());
        Assert.IsGreaterThan(1e-2, runs[5].GetProperty("gradientRelativeError").GetDouble());
        StringAssert.Contains(output, "1x8 (full batch)");
        StringAssert.Contains(output, "N - 1");
        StringAssert.Contains(output, "100%");
    }

    [TestMethod]
    public void The_page_is_well_formed_and_needs_nothing_from_outside()
    {
        using TemporaryFolder folder = new();
        CompareTiny(folder.WritePrompts("a<b>&{{rows}}.jsonl"), folder["out"]);

        ReportPage page = ReportPage.Read(Path.Combine(folder["out"], "accumulation.html"));
        StringAssert.Contains(page.Body.Value, "a<b>&{{rows}}.jsonl", "the name of the data is text, not markup");
        page.AssertSelfContained();
        CollectionAssert.AreEqual(new[] { 9, 8, 8 }, page.Charts.Select(chart => chart.Length).ToArray(), "losses of all runs; differences and distances of all but the full batch");
        Assert.IsTrue(page.Charts.SelectMany(lines => lines).All(values => values.Length == 3), "a point for every step");
        Assert.DoesNotContain("NaN", page.Data);
        Assert.HasCount(9, page.Body.Descendants("tbody").Elements("tr").ToArray());
    }

    // After one step every run has the full batch's loss, but for rounding. An axis between such values has no round numbers, and its drawing need not end.
    [TestMethod]
    public void Values_that_differ_only_by_rounding_get_an_axis_of_visible_range()
    {
        LineChart chart = LineChart.Linear("loss", 340, 1, new ChartLine("a", "accent", [5.5497]), new ChartLine("b", "accent", [5.5497 + 1e-15]));
        Assert.HasCount(2, chart.Lines);
        Assert.IsGreaterThan(1, chart.Maximum - chart.Minimum);
    }

    [TestMethod]
    public void A_logarithmic_axis_has_whole_powers_of_ten_and_shows_zero_at_its_lower_end()
    {
        LineChart chart = LineChart.PowersOfTen("distance", 280, [new ChartLine("a", "accent", [0.0, 3e-5, 0.02])]);
        Assert.AreEqual((1e-17, 0.1), (chart.Minimum, chart.Maximum));
        CollectionAssert.AreEqual(new double?[] { 1e-17, 3e-5, 0.02 }, chart.Lines[0].Values.ToArray());
    }

    [TestMethod]
    public void The_order_by_length_changes_the_mean_of_means_and_not_the_exact_form()
    {
        using TemporaryFolder folder = new();
        string data = folder.WritePrompts("rows.jsonl");
        JsonElement[] asTheyCome = Report(data, "Random"), byLength = Report(data, "length");

        Assert.IsLessThan(1e-12, byLength[1].GetProperty("gradientRelativeError").GetDouble());
        Assert.AreNotEqual(
            asTheyCome[4].GetProperty("gradientRelativeError").GetDouble(), byLength[4].GetProperty("gradientRelativeError").GetDouble(), 1e-3, asTheyCome[4].ToString());

        JsonElement[] Report(string file, string order)
        {
            Assert.AreEqual(0, CompareTiny(file, folder["out"], "--order", order, "--json", folder["report.json"]).ExitCode);
            return [.. JsonDocument.Parse(File.ReadAllText(folder["report.json"])).RootElement.EnumerateArray()];
        }
    }

    [TestMethod]
    [DataRow("--splits", "8", "--splits has '8'")]
    [DataRow("--cuts", "8", "--splits has '8'")]
    [DataRow("--splits", "1x8,2x5", "2x5 has 10")]
    [DataRow("--splits", "1x41", "has 40 rows")]
    [DataRow("--splits", "1x8,,2x4", "--splits has ''")]
    [DataRow("--order", "size", "'Random' 'Length'")]
    [DataRow("--precision", "half", "'Float64' 'Float32' 'Float32AgainstFloat64'")]
    [DataRow("--steps", "0", "at least 1")]
    [DataRow("--heads", "3", "a divisor of Width")]
    [DataRow("--normalizations", "Token,Mean", "--normalizations has 'Mean'; allowed is one of Token, MicroBatchMean, Sum")]
    [DataRow("--vocabulary", "100", "at least 257")]
    [DataRow("--clip", "-1", "at least 0")]
    [DataRow("--learning-rate", "0", "above 0")]
    [DataRow("--data", "no-such-file.txt", "does not exist")]
    [DataRow("--text-column", "body", "no column 'body'")]
    [DataRow("--json", "no/such/folder/report.json", "does not exist")]
    public void Bad_input_gets_one_line_and_leaves_nothing(string option, string value, string expected)
    {
        using TemporaryFolder folder = new();
        string data = folder.WritePrompts("rows.jsonl");
        string[] given = option == "--data" ? [] : ["--data", data];

        (int exitCode, _, string error) = CommandLine.Run([
            "compare-accumulation", .. given, "--output", folder["deep/out"], .. option == "--json" ? (string[])[] : ["--json", folder["report.json"]], option, value]);

        Assert.AreEqual(2, exitCode, error);
        StringAssert.Contains(error, expected);
        Assert.HasCount(1, error.TrimEnd().Split('\n'));
        CollectionAssert.AreEqual(new[] { "rows.jsonl" }, folder.Names);
    }

    [TestMethod]
    public void Float32_is_compared_with_a_full_batch_in_float64()
    {
        using TemporaryFolder folder = new();
        string data = folder.WritePrompts("rows.jsonl");
        (int exitCode, _, string error) = CompareTiny(
            data, folder["out"], "--precision", "Float32AgainstFloat64", "--normalizations", "Token,Sum", "--vocabulary", "1000", "--clip", "0.1", "--json", folder["report.json"]);

        Assert.AreEqual((0, ""), (exitCode, error));
        using JsonDocument report = JsonDocument.Parse(File.ReadAllText(folder["report.json"]));
        JsonElement[] runs = [.. report.RootElement.EnumerateArray()];
        Assert.HasCount(7, runs);
        Assert.AreEqual(0, runs[0].GetProperty("gradientRelativeError").GetDouble());
        foreach (JsonElement run in runs[1..4])
        {
            Assert.IsInRange(1e-9, 1e-5, run.GetProperty("gradientRelativeError").GetDouble());
            Assert.IsLessThan(1e-6, run.GetProperty("gradientNormError").GetDouble());
        }
        foreach (JsonElement run in runs[4..])
        {
            Assert.IsLessThan(1e-5, run.GetProperty("gradientRelativeError").GetDouble(), "clipped, a sum is the mean");
            Assert.IsGreaterThan(100, run.GetProperty("gradientNormError").GetDouble());
        }
    }

    [TestMethod]
    public void Non_finite_numbers_fail_and_leave_nothing()
    {
        using TemporaryFolder folder = new();
        (int exitCode, _, string error) = CompareTiny(folder.WritePrompts("rows.jsonl"), folder["out"], "--learning-rate", "1e300");

        Assert.AreEqual(1, exitCode);
        StringAssert.Contains(error, "no longer finite");
        CollectionAssert.AreEqual(new[] { "rows.jsonl" }, folder.Names);
    }

    private static (int ExitCode, string Output, string Error) CompareTiny(string data, string output, params string[] more) => CommandLine.Run([
        "compare-accumulation", "--data", data, "--output", output, "--splits", "1x8,4x2,8x1", "--steps", "3", "--layers", "1", "--heads", "2", "--width", "16", "--context", "48", .. more]);
}
