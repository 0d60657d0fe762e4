using MLNetExtension.Data;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training;
using MLNetExtension.Training.Reports;

namespace MLNetExtension.Tests.Training.Reports;

/// <summary>What a report says besides loss and norm, for which see ReportedFiguresTests.</summary>
[TestClass]
public sealed class StepReportTests
{
    [TestMethod]
    public void Progress_is_that_after_the_step_and_tokens_are_those_that_weigh_something()
    {
        Random random = new(2);
        TokenExample[] rows = [.. Enumerable.Range(0, 4).Select(row => Ragged.Example(random, 6, row, masked: 0, weight: row == 0 ? 0 : 0.5))];
        List<StepReport> steps = Train(rows, new TrainingOptions { BatchSize = 4, MaximumSteps = 4 });

        CollectionAssert.AreEqual(new[] { 0.25, 0.5, 0.75, 1 }, steps.Select(step => step.Progress).ToArray());
        CollectionAssert.AreEqual(new[] { 1, 2, 3, 4 }, steps.Select(step => step.Epoch).ToArray());
        CollectionAssert.AreEqual(new[] { 18L, 36, 54, 72 }, steps.Select(step => step.TotalTargetTokens).ToArray());
    }

    [TestMethod]
    public void A_step_that_is_not_finite_names_its_rows_by_their_place_in_the_data()
    {
        Random random = new(2);
        TokenExample[] rows = [.. Enumerable.Range(0, 3).Select(row => Ragged.Example(random, 6, 100 + row, masked: 0, weight: row == 1 ? double.MaxValue : 1))];
        List<StepReport> steps = Train(rows, new TrainingOptions { BatchSize = 1, MaximumEpochs = 1 });

        StepReport bad = steps.Single(step => step.Outcome == StepOutcome.NonFinite);
        CollectionAssert.AreEqual(new[] { 101L }, bad.ExamplePositions.ToArray());
        Assert.IsTrue(steps.Where(step => step != bad).All(step => step.ExamplePositions.Count == 0));
    }

    // Steps end a training at 1, and so does time: whichever is further.
    [TestMethod]
    [DataRow(1, 8, 0.8)]
    [DataRow(3, 2, 0.75)]
    [DataRow(4, 0, 1.0)]
    [DataRow(0, 12, 1.2)]
    public void The_limit_that_comes_first_decides_how_far_a_training_is(int steps, int seconds, double expected)
    {
        TrainingLimits limits = new(new TrainingOptions { BatchSize = 3, MaximumEpochs = 2, MaximumSteps = 9, MaximumDuration = TimeSpan.FromSeconds(10) }, stepsPerEpoch: 2);
        Assert.AreEqual(4, limits.Steps);
        Assert.AreEqual(expected, limits.Progress(steps, TimeSpan.FromSeconds(seconds)), 1e-15);
    }

    private static List<StepReport> Train(TokenExample[] rows, TrainingOptions options)
    {
        using Gpt2Model model = Ragged.Model();
        List<StepReport> steps = [];
        TrainingLoop.Run(model, rows, options, seed: 1, steps.Add);
        return steps;
    }
}
