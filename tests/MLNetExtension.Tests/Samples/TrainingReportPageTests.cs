using System.Text.Json;
using System.Xml.Linq;
using MLNetExtension.Training.Reports;
using Samples.Reporting;

namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class TrainingReportPageTests
{
    private static readonly MetricsReport Metrics = new(2, 3, 4, 5, 0.5, 60, 7);

    [TestMethod]
    public void Speed_is_that_of_the_last_steps_and_not_the_mean_since_the_start()
    {
        TrainingCurve curve = new(_ => { });
        for (int step = 1; step <= 60; step++)
            curve.Report(Reports.Step(step) with { StepTime = TimeSpan.FromSeconds(step <= 30 ? 1 : 0.1), MatrixPeak = 4e9, PaddingShare = step <= 30 ? 0.5 : 0.25 });

        Assert.AreEqual(100, curve.Points[29].Recent.TokensPerSecond, 1e-9);
        Assert.AreEqual(1000, curve.Points[59].Recent.TokensPerSecond, 1e-9);
        Assert.AreEqual(0.25, curve.Points[59].Recent.Utilization!.Value, 1e-9, "1e8 operations in 0.1 seconds, of 4e9 a second");
        Assert.AreEqual(0.25, curve.Points[59].Recent.PaddingShare, 1e-9);
        Assert.AreEqual(20 * 100 / (10 * 1 + 10 * 0.1), curve.Points[39].Recent.TokensPerSecond, 1e-9, "half of the last 20 steps are slow");
    }

    [TestMethod]
    public void Many_steps_share_points_in_which_neither_a_spike_nor_a_validation_is_lost()
    {
        TrainingCurve curve = new(_ => { });
        for (int step = 1; step <= 10_000; step++)
            curve.Report(Reports.Step(step) with { GradientNorm = step == 4_321 ? 77 : 1, ValidationLoss = step % 1234 == 0 ? step : null });
        IReadOnlyList<CurveBin> bins = CurveBin.Divide(curve.Points, 100);

        Assert.IsInRange(100, 110, bins.Count);
        CollectionAssert.AreEqual(curve.Points.ToArray(), bins.SelectMany(bin => bin.Points).ToArray(), "every step once, in order");
        CollectionAssert.AreEqual(new[] { 1234.0, 2468, 3702, 4936, 6170, 7404, 8638, 9872 }, bins.Select(bin => bin.Last.Report.ValidationLoss).OfType<double>().ToArray());
        Assert.AreEqual(77, bins.Max(bin => bin.GradientNorm));
        Assert.AreEqual(10_000, bins[^1].Last.Report.Step);
        CurveBin first = bins[0];
        Assert.AreEqual(first.Points.Average(point => point.Report.Loss), first.Loss, 1e-12);
    }

    [TestMethod]
    public void The_page_of_a_long_run_is_a_light_file()
    {
        TrainingCurve curve = new(_ => { });
        for (int step = 1; step <= 100_000; step++)
        {
            curve.Report(Reports.Step(step) with
            {
                GradientNorm = 1 + 1.0 / step, MatrixPeak = 1e11, PaddingShare = 1.0 / step, StepTime = TimeSpan.FromSeconds(0.1 + 0.01 * Math.Sin(step)), LearningRate = 1e-3 / step,
                ValidationLoss = step % 1000 == 0 ? 2.5 : null, Samples = step % 1000 == 0 ? [new("a", new string('b', 300)), new("c", new string('d', 300))] : [],
            });
        }
        string page = Render(curve);
        Assert.IsLessThan(500_000, page.Length);
        Assert.AreEqual(2, page.Split("<caption>").Length - 1);
        Assert.Contains("100,000", page);
    }

    [TestMethod]
    public void Figures_have_units_and_texts_are_no_markup()
    {
        TrainingCurve curve = new(_ => { }) { FirstSamples = [new("<b>&", "before")] };
        curve.Report(Reports.Step(1) with { MatrixPeak = 2e11, PaddingShare = 0.1, ValidationLoss = 2, Samples = [new("<b>&", "</td>]]>\u0004after")], Memory = new MemoryUse(1, 2, 3) });
        XDocument page = XDocument.Parse(Render(curve).Replace("<!DOCTYPE html>", ""));

        string data = page.Descendants("script").First().Value;
        string[] titles = [.. JsonSerializer.Deserialize<JsonElement>(data).GetProperty("charts").EnumerateArray().Select(chart => chart.GetProperty("title").GetString()!)];
        CollectionAssert.AreEqual(
            new[] { "Loss, nats per token", "Learning rate", "Gradient norm, before clipping", "Target tokens per second", "Model FLOP utilization, % of 200 GFLOP/s", "Padding, % of the positions computed", "Memory, MiB" }, titles);
        XElement table = page.Descendants("table").First();
        Assert.AreEqual("<b>&", table.Element("caption")!.Value);
        CollectionAssert.AreEqual(new[] { "0", "2.000", "before", "1", "2.000", "</td>]]>\uFFFDafter" }, table.Element("tbody")!.Descendants("td").Select(cell => cell.Value).ToArray());
    }

    [TestMethod]
    public void A_training_of_no_finite_step_has_a_page()
    {
        TrainingCurve curve = new(_ => { });
        curve.Report(Reports.Step(1) with { Loss = double.NaN, Outcome = StepOutcome.NonFinite });
        Assert.Contains("Training on rows", Render(curve));
    }

    private static string Render(TrainingCurve curve) => TrainingReportPage.Render(
        new TrainReport(
            Metrics, Metrics, Metrics, true, 100_000, 1, 100, 60, 100, 500, null, null, new Dictionary<string, string> { ["TorchSharp"] = "1" },
            new DataReport("rows", 40, 0, 30, 10, 10), new { Layers = 1, MicroBatchTokens = 2 }, []),
        curve, ["metrics.json"]);
}
