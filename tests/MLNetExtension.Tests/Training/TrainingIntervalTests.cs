using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training;
using MLNetExtension.Training.Optimization;
using MLNetExtension.Training.Reports;
using MLNetExtension.Training.Resume;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training;

/// <summary>Evaluations and checkpoints every so many steps or epochs.</summary>
[TestClass]
public sealed class TrainingIntervalTests
{
    // Rounding: 3 / 10 divided by 0.1 is below 3. The oracle counts in whole numbers: after which steps a multiple of numerator * steps / denominator lies behind that did not before.
    // Seen to fail without the allowance for rounding.
    [TestMethod]
    public void An_interval_of_epochs_is_due_with_the_first_step_that_reaches_a_multiple_of_it()
    {
        for (int stepsPerEpoch = 1; stepsPerEpoch <= 24; stepsPerEpoch++)
        {
            foreach ((long numerator, long denominator) in new[] { (1L, 1L), (1, 2), (1, 3), (1, 10), (3, 10), (2, 3), (7, 100), (5, 2), (3, 1) })
            {
                TrainingInterval interval = TrainingInterval.Epochs(numerator / (double)denominator);
                for (int step = 1; step < 200; step++)
                {
                    bool expected = step * denominator / (numerator * stepsPerEpoch) > (step - 1) * denominator / (numerator * stepsPerEpoch);
                    Assert.AreEqual(expected, interval.IsDue(step, stepsPerEpoch), $"{numerator}/{denominator} epochs of {stepsPerEpoch} steps, step {step}");
                }
                Assert.IsFalse(interval.IsDue(0, stepsPerEpoch));
            }
        }
    }

    [TestMethod]
    public void A_whole_number_is_one_of_steps()
    {
        TrainingInterval interval = 3;
        Assert.AreEqual(TrainingInterval.Steps(3), interval);
        CollectionAssert.AreEqual(new[] { 3, 6, 9 }, Enumerable.Range(0, 11).Where(step => interval.IsDue(step, 4)).ToArray());
        Assert.AreEqual("3 steps, 1 step, 0.5 epochs, 1 epoch", $"{interval}, {TrainingInterval.Steps(1)}, {TrainingInterval.Epochs(0.5)}, {TrainingInterval.Epochs(1)}");
    }

    // 18 rows in batches of 4 are 5 steps an epoch: halves are reached with steps 3 and 5, 8 and 10, and the end has an evaluation and a checkpoint of its own.
    [TestMethod]
    public void Evaluations_and_checkpoints_come_when_they_are_due_and_reports_say_so()
    {
        using TemporaryFolder folder = new();
        List<StepReport> steps = [];
        Train(new() { BatchSize = 4, MaximumSteps = 12 }, steps, folder, TrainingInterval.Epochs(0.5), TrainingInterval.Epochs(1));
        CollectionAssert.AreEqual(new[] { 3, 5, 8, 10, 12 }, steps.Where(step => step.ValidationLoss is not null).Select(step => step.Step).ToArray());
        CollectionAssert.AreEqual(new[] { 5, 10, 12 }, steps.Where(step => step.HasCheckpoint).Select(step => step.Step).ToArray());
    }

    // Batches by tokens, so that a step's place in its epoch is not told by a number of rows.
    [TestMethod]
    [DataRow(null)]
    [DataRow(40)]
    public void A_run_that_is_resumed_twice_has_them_where_one_run_has_them(int? tokens)
    {
        using TemporaryFolder whole = new(), parts = new();
        using var scope = NewDisposeScope();
        TrainingOptions options = tokens is null ? new() { BatchSize = 4 } : new() { BatchTargetTokens = tokens };
        List<StepReport> expected = [], actual = [];
        Tensor weights = Train(options with { MaximumSteps = 13 }, expected, whole, TrainingInterval.Epochs(0.3), TrainingInterval.Epochs(0.7));
        Train(options with { MaximumSteps = 4 }, actual, parts, TrainingInterval.Epochs(0.3), TrainingInterval.Epochs(0.7));
        Train(options with { MaximumSteps = 9 }, actual, parts, TrainingInterval.Epochs(0.3), TrainingInterval.Epochs(0.7));
        Tensor resumed = Train(options with { MaximumSteps = 13 }, actual, parts, TrainingInterval.Epochs(0.3), TrainingInterval.Epochs(0.7));

        CollectionAssert.AreEqual(expected.Select(Figures).ToArray(), actual.Select(Figures).ToArray());
        CollectionAssert.IsSubsetOf(Measured(expected), Measured(actual));
        CollectionAssert.IsSubsetOf(Measured(actual), (int[])[.. Measured(expected), 4, 9]);    // and those at the ends
        CollectionAssert.AreEqual(weights.bytes.ToArray(), resumed.bytes.ToArray());

        static int[] Measured(List<StepReport> steps) => [.. steps.Where(step => step.ValidationLoss is not null).Select(step => step.Step)];
    }

    [TestMethod]
    [DataRow(0.0)]
    [DataRow(-1.0)]
    [DataRow(double.NaN)]
    [DataRow(double.PositiveInfinity)]
    public void An_interval_of_no_epochs_is_refused(double epochs)
    {
        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new CheckpointOptions { Folder = "here", Interval = TrainingInterval.Epochs(epochs) }.Validate("Checkpoints"));
        Assert.Contains("Checkpoints.Interval is ", error.Message);
        Assert.Contains("allowed is a number of epochs above 0", error.Message);
    }

    [TestMethod]
    public void An_interval_that_nobody_set_is_refused() => Assert.Contains("Validation.Interval is 0; allowed is at least 1", Assert.ThrowsExactly<ArgumentOutOfRangeException>(
        () => new ValidationOptions { Fraction = 0.5, Interval = default }.Validate("Validation")).Message);

    private static (int, int, double, double, long, bool) Figures(StepReport step) =>
        (step.Step, step.Epoch, step.Loss, step.GradientNorm, step.TargetTokens, step.ValidationLoss is not null && step.Step is not (4 or 9));

    private static Tensor Train(TrainingOptions options, List<StepReport> steps, TemporaryFolder folder, TrainingInterval validation, TrainingInterval checkpoints)
    {
        using Gpt2Model model = Ragged.Model(ScalarType.Float32, dropout: 0.1);
        using CheckpointFolder opened = CheckpointFolder.Open(folder.Path);
        options = options with { LearningRate = 1e-3, Schedule = new() { WarmupSteps = 0, Shape = ScheduleShape.Constant }, Batching = new() { MaximumTokensPerMicroBatch = 50 } };
        int done = steps.Count;
        TrainingLoop.Run(new TrainingRun(model, Ragged.Examples(18), options, Seed: 1)
        {
            OnStep = step =>
            {
                done = step.Step;
                steps.Add(step);
            },
            // Every evaluation is better than the one before, so the weights are those of the last.
            Validation = new Validation(_ => (100 - done, 1), validation),
            Checkpoints = new CheckpointManager(opened, checkpoints, new Dictionary<string, string>()),
        });
        return cat([.. model.parameters().Select(p => p.detach().flatten())]);
    }
}
