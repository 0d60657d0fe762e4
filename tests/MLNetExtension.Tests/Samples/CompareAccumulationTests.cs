using System.Text.Json;
using System.Xml;
using System.Xml.Linq;
using Samples.Reporting;

namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class CompareAccumulationTests
{
    [TestMethod]
    public void A_comparison_writes_a_list_with_an_element_for_every_policy_and_cut()
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
                new[] { "normalization", "cut", "gradientRelativeError", "loss", "weightDistance" }, run.EnumerateObject().Select(property => property.Name).ToArray());
            Assert.AreEqual(Math.Log(257), run.GetProperty("loss").GetDouble(), 0.3, "a model that has hardly begun");
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

        string file = Path.Combine(folder["out"], "accumulation.html");
        using XmlReader reader = XmlReader.Create(file, new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore });
        XElement page = XDocument.Load(reader).Root!;
        StringAssert.Contains(page.Element("body")!.Value, "a<b>&{{rows}}.jsonl", "the name of the data is text, not markup");
        Assert.IsEmpty(page.Descendants().Attributes().Where(attribute => attribute.Name.LocalName is "src" or "href"));
        foreach (string outside in (string[])["http:", "https:", "@import", "url("])
            Assert.DoesNotContain(outside, File.ReadAllText(file));
        XElement[] charts = [.. page.Descendants("svg").Where(svg => svg.Attribute("class")!.Value == "chart")];
        CollectionAssert.AreEqual(new[] { 9, 8, 8 }, charts.Select(chart => chart.Elements("polyline").Count()).ToArray(), "losses of all runs; differences and distances of all but the full batch");
        Assert.IsTrue(charts.Elements("polyline").All(line => line.Attribute("points")!.Value.Split(' ').Length == 3), "a point for every step");
        Assert.DoesNotContain("NaN", File.ReadAllText(file));
        Assert.HasCount(9, page.Descendants("tbody").Elements("tr").ToArray());
    }

    // After one step every run has the full batch's loss, but for rounding. The axis between such values never ended.
    [TestMethod]
    [Timeout(10_000)]
    public void Curves_that_differ_by_rounding_alone_are_drawn()
    {
        string svg = new Chart("loss", "0.0", 340, [1], new("a", [5.5497]), new("b", [5.5497 + 1e-15])).ToSvg();
        Assert.IsLessThan(5000, svg.Length);
        Assert.HasCount(2, XElement.Parse(svg).Elements("polyline").ToArray());
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
    [DataRow("--cuts", "8", "--cuts has '8'")]
    [DataRow("--cuts", "1x8,2x5", "2x5 has 10")]
    [DataRow("--cuts", "1x41", "has 40 rows")]
    [DataRow("--cuts", "1x8,,2x4", "--cuts has ''")]
    [DataRow("--order", "size", "'Random' 'Length'")]
    [DataRow("--precision", "half", "'Float64' 'Float32'")]
    [DataRow("--steps", "0", "at least 1")]
    [DataRow("--heads", "3", "a divisor of Width")]
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
    public void Numbers_that_are_no_longer_finite_fail_and_leave_nothing()
    {
        using TemporaryFolder folder = new();
        (int exitCode, _, string error) = CompareTiny(folder.WritePrompts("rows.jsonl"), folder["out"], "--learning-rate", "1e300");

        Assert.AreEqual(1, exitCode);
        StringAssert.Contains(error, "no longer finite");
        CollectionAssert.AreEqual(new[] { "rows.jsonl" }, folder.Names);
    }

    private static (int ExitCode, string Output, string Error) CompareTiny(string data, string output, params string[] more) => CommandLine.Run([
        "compare-accumulation", "--data", data, "--output", output, "--cuts", "1x8,4x2,8x1", "--steps", "3", "--layers", "1", "--heads", "2", "--width", "16", "--context", "48", .. more]);
}
