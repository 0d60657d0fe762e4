using MLNetExtension.Data;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training;
using MLNetExtension.Training.Reports;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training;

[TestClass]
public sealed class ValidationTests
{
    // Every evaluation is better than the one before, so the last weights are the best. Dropout would show a random number drawn or a generator moved.
    // Seen to fail with: the model left in evaluation mode after an evaluation.
    [TestMethod]
    [DataRow(1)]
    [DataRow(2)]
    public void Measuring_changes_nothing_in_the_training(int workers)
    {
        double[] falling = [5, 4, 3];
        using Gpt2Model expected = Model(), actual = Model();
        using var scope = NewDisposeScope();
        TrainingOptions options = Options(steps: 9);
        options = options with { Batching = options.Batching with { Workers = workers } };
        TrainingLoop.Run(expected, Examples, options, seed: 1);
        int measured = 0;
        TrainingSummary summary = TrainingLoop.Run(new TrainingRun(actual, Examples, options, Seed: 1) { Validation = new Validation(Measure, interval: 3) });

        Assert.AreEqual(3, measured);
        Assert.AreEqual(9, summary.BestStep);
        CollectionAssert.AreEqual(Bytes(expected), Bytes(actual));

        (double, double) Measure(CancellationToken _)
        {
            Assert.IsFalse(actual.training);
            return (falling[measured++], 1);
        }
    }

    // Seen to fail with: the last weights kept; the kept copy a view of the flat parameters.
    [TestMethod]
    [DataRow(ComputePrecision.Float32)]
    [DataRow(ComputePrecision.BFloat16)]
    public void The_weights_at_the_end_are_the_best_that_were_measured(ComputePrecision precision)
    {
        double[] losses = [5, 2, 3, double.NaN, 2];
        using Gpt2Model best = Model(), actual = Model();
        using var scope = NewDisposeScope();
        // The learning rate of a step hangs on how far off the end is: both are headed for 10 steps, one is stopped after 4.
        using CancellationTokenSource stop = new();
        TrainingLoop.Run(new TrainingRun(best, Examples, Options(10, precision), Seed: 1) { OnStep = step => { if (step.Step == 4) stop.Cancel(); }, StopToken = stop.Token });

        int measured = 0;
        List<StepReport> steps = [];
        TrainingSummary summary = TrainingLoop.Run(new TrainingRun(actual, Examples, Options(10, precision), Seed: 1) { OnStep = steps.Add, Validation = new Validation(_ => (losses[measured++], 1), interval: 2) });

        Assert.AreEqual((StopReason.LimitReached, 10, 2.0, 4), (summary.End, summary.Steps, summary.ValidationLoss, summary.BestStep));
        CollectionAssert.AreEqual(new double?[] { null, 5, null, 2, null, 3, null, double.NaN, null, 2 }, steps.Select(step => step.ValidationLoss).ToArray());
        CollectionAssert.AreEqual(Bytes(best), Bytes(actual));
    }

    [TestMethod]
    [DataRow(2, 10, StopReason.NoImprovement)]
    [DataRow(3, 12, StopReason.NoImprovement)]
    [DataRow(4, 13, StopReason.LimitReached)]
    [DataRow(0, 13, StopReason.LimitReached)]
    [DataRow(null, 13, StopReason.LimitReached)]
    public void Training_stops_when_patience_runs_out(int? patience, int expectedSteps, StopReason expectedEnd)
    {
        double[] losses = [4, 3, 2, 2, 3, 9, 8];
        using Gpt2Model model = Model();
        int measured = 0;
        TrainingSummary summary = TrainingLoop.Run(new TrainingRun(model, Examples, Options(steps: 13), Seed: 1) { Validation = new Validation(_ => (losses[measured++], 1), interval: 2, patience) });

        Assert.AreEqual((expectedSteps, expectedEnd, 6), (summary.Steps, summary.End, summary.BestStep));
    }

    [TestMethod]
    public void A_requested_stop_ends_training_after_the_step_and_keeps_its_weights()
    {
        using CancellationTokenSource stop = new();
        using Gpt2Model model = Model();
        List<int> measuredAfter = [];
        int steps = 0;
        TrainingSummary summary = TrainingLoop.Run(new TrainingRun(model, Examples, Options(steps: 100), Seed: 1)
        {
            OnStep = step =>
            {
                steps = step.Step;
                if (step.Step == 5)
                    stop.Cancel();
            },
            Validation = new Validation(_ => { measuredAfter.Add(steps); return (1, 1); }, interval: 50),
            StopToken = stop.Token,
        });

        Assert.AreEqual((StopReason.Requested, 5, 5), (summary.End, summary.Steps, summary.BestStep));
        CollectionAssert.AreEqual(new[] { 5 }, measuredAfter);
        Assert.IsFalse(model.training);
    }

    [TestMethod]
    public void The_best_weights_take_the_memory_of_one_copy_and_give_it_back()
    {
        using Gpt2Model model = Model();
        TrainingLoop.Run(model, Examples, Options(steps: 2), seed: 1);
        long live = Live();
        double loss = 9;
        List<long> meanwhile = [];
        TrainingLoop.Run(new TrainingRun(model, Examples, Options(steps: 6), Seed: 1) { OnStep = _ => meanwhile.Add(Live()), Validation = new Validation(_ => (loss--, 1), interval: 1) });

        Assert.AreEqual(1, meanwhile.Distinct().Count(), string.Join(", ", meanwhile));
        Assert.AreEqual(live, Live());

        static long Live() => DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
    }

    [TestMethod]
    public void A_measure_that_fails_ends_the_training_with_its_own_error()
    {
        using Gpt2Model model = Model();
        Validation failing = new(_ => throw new InvalidDataException(), interval: 1);
        Assert.ThrowsExactly<InvalidDataException>(() => TrainingLoop.Run(new TrainingRun(model, Examples, Options(steps: 4), Seed: 1) { Validation = failing }));
        Assert.IsFalse(model.training);
    }

    private static TokenExample[] Examples => Ragged.Examples(18);

    private static Gpt2Model Model() => Ragged.Model(ScalarType.Float32, dropout: 0.1);

    private static TrainingOptions Options(int steps, ComputePrecision precision = ComputePrecision.Float32) =>
        new() { BatchSize = 4, MaximumSteps = steps, Schedule = new() { WarmupSteps = 3 }, Batching = new() { MaximumTokensPerMicroBatch = 50, Precision = precision } };

    private static byte[] Bytes(Gpt2Model model) => cat([.. model.parameters().Select(p => p.detach().flatten())]).bytes.ToArray();
}
