using Microsoft.ML;
using MLNetExtension.Data;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.MLNet;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training;
using MLNetExtension.Training.Reports;
using MLNetExtension.Training.Splitting;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training;

/// <summary>Options of int.MaxValue and nearly so.</summary>
[TestClass]
public sealed class HugeLimitsTests
{
    [TestMethod]
    [DataRow(int.MaxValue)]
    [DataRow(int.MaxValue - 8)]
    [DataRow(int.MaxValue - 9)]
    [DataRow(11)]
    public void A_batch_larger_than_the_rows_is_the_rows(int batchSize)
    {
        using var scope = NewDisposeScope();
        (Tensor expected, List<StepReport> expectedSteps) = Train(10);
        (Tensor actual, List<StepReport> steps) = Train(batchSize);

        Assert.HasCount(3, steps);
        Assert.IsTrue(steps.All(step => step.Rows == 10));
        CollectionAssert.AreEqual(expectedSteps.Select(step => step.LearningRate).ToArray(), steps.Select(step => step.LearningRate).ToArray());
        CollectionAssert.AreEqual(expected.bytes.ToArray(), actual.bytes.ToArray());

        static (Tensor, List<StepReport>) Train(int batchSize)
        {
            using Gpt2Model model = Ragged.Model();
            List<StepReport> steps = [];
            TrainingLoop.Run(model, Ragged.Examples(10), new TrainingOptions { BatchSize = batchSize, MaximumEpochs = 3 }, seed: 1, steps.Add);
            return (cat([.. model.parameters().Select(p => p.detach().flatten())]), steps);
        }
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void The_end_is_obeyed_whatever_the_other_limits_are(bool cancel)
    {
        using CancellationTokenSource source = new();
        using Gpt2Model model = Ragged.Model();
        List<StepReport> steps = [];
        TrainingOptions options = new()
        {
            BatchSize = int.MaxValue,
            MaximumSteps = int.MaxValue,
            MaximumEpochs = int.MaxValue,
            MaximumDuration = TimeSpan.MaxValue,
            MaximumNonFiniteSteps = int.MaxValue,
            Schedule = new() { WarmupSteps = int.MaxValue },
            Batching = new() { MaximumTokensPerMicroBatch = int.MaxValue },
        };
        TrainingRun run = new(model, Ragged.Examples(6), options, Seed: 1)
        {
            OnStep = step =>
            {
                steps.Add(step);
                if (step.Step == 3)
                    source.Cancel();
            },
            Validation = new Validation(_ => (1, 1), int.MaxValue, int.MaxValue),
            CancellationToken = cancel ? source.Token : default,
            StopToken = cancel ? default : source.Token,
        };
        if (cancel)
            Assert.ThrowsExactly<OperationCanceledException>(() => TrainingLoop.Run(run));
        else
            Assert.AreEqual(StopReason.Requested, TrainingLoop.Run(run).End);

        Assert.HasCount(3, steps);
        foreach (StepReport step in steps)
        {
            Assert.IsTrue(step.LearningRate > 0 && step.LearningRate <= options.LearningRate);
            Assert.IsGreaterThan(TimeSpan.Zero, step.Remaining!.Value);
            Assert.AreEqual((6, 1), (step.Rows, step.MicroBatches));
        }
    }

    [TestMethod]
    public void A_trainer_with_the_largest_numbers_trains_and_its_model_generates()
    {
        using TemporaryFolder folder = new();
        var mlContext = new MLContext(seed: 1);
        using CancellationTokenSource stop = new(), cancel = new();
        var options = Tiny.Options(steps: int.MaxValue);
        options.BatchSize = options.ReportInterval = options.MaximumNonFiniteSteps = int.MaxValue;
        options.MaximumEpochs = int.MaxValue;
        options.MaximumDuration = TimeSpan.MaxValue;
        options.Validation = new() { Fraction = 0.3, Interval = int.MaxValue, Patience = int.MaxValue };
        options.Checkpoints = new() { Folder = folder.Path, Interval = int.MaxValue };
        options.Batching = new() { MaximumTokensPerMicroBatch = int.MaxValue, MemoryLimitMiB = int.MaxValue };
        options.Outputs = new() { Generation = new() { Temperature = 0, MaximumNewTokens = int.MaxValue, TopK = int.MaxValue } };
        options.StopToken = stop.Token;
        options.Progress = new Tiny.Progress(step =>
        {
            Assert.IsGreaterThan(TimeSpan.Zero, step.Remaining!.Value);
            if (step.Step == 3)
                stop.Cancel();
        });
        using var model = Tiny.Train(mlContext, options);
        Assert.AreEqual((StopReason.Requested, 3), (model.Training!.End, model.Training.Steps));
        Assert.IsTrue(double.IsFinite(mlContext.CausalLanguageModeling.Evaluate(model.Transform(Tiny.Rows(mlContext, Tiny.Texts))).Loss));

        int pieces = 0;
        Assert.ThrowsExactly<OperationCanceledException>(() =>
        {
            foreach (string _ in mlContext.CausalLanguageModeling.CreateTextGenerator(model).Stream("the", new() { Seed = 1, MaximumNewTokens = int.MaxValue }, cancel.Token))
            {
                if (++pieces == 3)
                    cancel.Cancel();
            }
        });
        Assert.AreEqual(3, pieces);
    }

    // Said before: "TimeSpan overflowed because the duration is too long."
    [TestMethod]
    public void What_remains_of_a_training_without_an_end_is_the_longest_time_there_is()
    {
        using Gpt2Model model = Ragged.Model();
        List<StepReport> steps = [];
        TrainingLoop.Run(model, Ragged.Examples(2), new TrainingOptions { MaximumSteps = 1 }, seed: 1, steps.Add);
        StepReport report = steps.Single() with { Progress = 1e-300, Elapsed = TimeSpan.FromSeconds(1) };
        Assert.AreEqual(TimeSpan.MaxValue, report.Remaining);
        Assert.AreEqual(TimeSpan.FromSeconds(3), (report with { Progress = 0.25 }).Remaining);
    }

    // Three thousand million positions: as an int, -1,294,967,296.
    [TestMethod]
    public void Positions_of_a_huge_batch_are_counted()
    {
        const int Rows = 100_000, Length = 30_000;
        TokenExample row = new(new int[Length], new int[Length], Length, 0);
        TokenExample[] batch = [.. Enumerable.Repeat(row, Rows)];
        foreach (bool pack in new[] { true, false })
        {
            SplitPlan plan = new(int.MaxValue, 1, null, pack);
            Assert.AreEqual(((long)Length * Rows, Length), plan.CountPositions(batch));
            Assert.AreEqual(int.MaxValue / 2, plan.Reduce(batch)!.Value.Tokens);
        }
        IReadOnlyList<IReadOnlyList<TokenExample>> split = MicroBatchPlanner.Split(batch, int.MaxValue);
        CollectionAssert.AreEqual(new[] { int.MaxValue / Length, Rows - int.MaxValue / Length }, split.Select(rows => rows.Count).ToArray());
    }
}
