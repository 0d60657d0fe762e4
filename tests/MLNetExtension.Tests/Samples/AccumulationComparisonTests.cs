using MLNetExtension.Training.Optimization;
using MLNetExtension.Data;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training;
using MLNetExtension.Training.Accumulation;
using Samples.Comparison;
using TorchSharp;

namespace MLNetExtension.Tests.Samples;

[TestClass]
internal sealed class AccumulationComparisonTests
{
    private static readonly Gpt2Configuration Model = new(Ragged.Vocabulary, ContextLength: 24, Layers: 1, Heads: 2, Width: 8);

    // 28 rows: the last batch of every epoch is a short one.
    private static readonly TokenExample[] Rows = Ragged.Examples(28);

    private static readonly ComparisonSettings Settings = new() { Splits = [new(1, 8), new(2, 4), new(4, 2), new(8, 1)], Steps = 6 };

    [TestMethod]
    [DataRow(BatchOrder.Random)]
    [DataRow(BatchOrder.Length)]
    public void Token_agrees_with_the_full_batch_whatever_the_split(BatchOrder order)
    {
        IReadOnlyList<AccumulationRun> runs = AccumulationComparison.Run(Model, Rows, Settings with { Order = order });

        AccumulationRun[] token = [.. runs.Where(run => run.Normalization == LossNormalization.Token)];
        CollectionAssert.AreEqual(new[] { "1x8", "2x4", "4x2", "8x1" }, token.Select(run => run.Split.ToString()).ToArray());
        foreach (AccumulationRun run in token)
        {
            Assert.IsLessThan(1e-12, run.GradientRelativeError, run.Split.ToString());
            Assert.IsLessThan(1e-8, run.WeightDistance, run.Split.ToString());
            Assert.AreEqual(runs[0].Loss, run.Loss, 1e-10, run.Split.ToString());
        }
        Assert.IsTrue(token.Skip(1).All(run => run.GradientRelativeError > 0), "They were computed, not copied.");
    }

    [TestMethod]
    public void The_mean_of_means_strays_on_rows_of_unequal_length()
    {
        IReadOnlyList<AccumulationRun> runs = AccumulationComparison.Run(Model, Rows, Settings);

        foreach (AccumulationRun run in runs.Where(run => run.Normalization == LossNormalization.MicroBatchMean && run.Split.MicroBatches > 1))
        {
            Assert.IsGreaterThan(1e-2, run.GradientRelativeError, run.Split.ToString());
            Assert.IsGreaterThan(1e-4, run.WeightDistance, run.Split.ToString());
        }
        Assert.IsLessThan(1e-12, runs.Single(run => run.Normalization == LossNormalization.MicroBatchMean && run.Split.MicroBatches == 1).GradientRelativeError);
    }

    [TestMethod]
    public void The_mean_of_means_agrees_on_rows_of_equal_length()
    {
        Random random = new(3);
        TokenExample[] even = [.. Enumerable.Range(0, 16).Select(row => Ragged.Example(random, 9, row, masked: 0))];

        foreach (AccumulationRun run in AccumulationComparison.Run(Model, even, Settings with { Normalizations = [LossNormalization.MicroBatchMean] }))
        {
            Assert.IsLessThan(1e-12, run.GradientRelativeError, run.Split.ToString());
            Assert.IsLessThan(1e-8, run.WeightDistance, run.Split.ToString());
        }
    }

    [TestMethod]
    public void The_error_of_Sum_is_one_less_than_the_targets_of_the_batch()
    {
        IReadOnlyList<AccumulationRun> runs = AccumulationComparison.Run(Model, Rows, Settings with { Steps = 1 });

        double targets = runs[0].Batches[0].TargetCount;
        Assert.IsGreaterThan(8, targets);
        foreach (AccumulationRun run in runs.Where(run => run.Normalization == LossNormalization.Sum))
            Assert.AreEqual(targets - 1, run.GradientRelativeError, 1e-10 * targets, run.Split.ToString());
    }

    [TestMethod]
    public void In_float32_Token_agrees_to_rounding()
    {
        IReadOnlyList<AccumulationRun> runs = AccumulationComparison.Run(Model, Rows, Settings with { Precision = ComparisonPrecision.Float32, Normalizations = [LossNormalization.Token] });

        foreach (AccumulationRun run in runs.Skip(1))
        {
            Assert.IsGreaterThan(1e-9, run.GradientRelativeError, run.Split.ToString());
            Assert.IsLessThan(2e-6, run.GradientRelativeError, run.Split.ToString());
        }
    }

    [TestMethod]
    public void The_full_batch_is_trained_as_by_the_trainer()
    {
        using Gpt2Model model = new(Model, Settings.Seed);
        model.to(torch.ScalarType.Float64);
        TrainingOptions options = new()
        {
            BatchSize = 8,
            Batching = new() { MaximumTokensPerMicroBatch = 8 * 24 },
            LearningRate = Settings.LearningRate,
            Schedule = new() { MinimumLearningRateRatio = 1, WarmupSteps = 0 },
            Optimizer = new AdamWOptions { MaximumGradientNorm = 0, DecayRule = WeightDecayRule.Matrices },
            MaximumSteps = Settings.Steps,
        };
        List<double> expected = [];
        TrainingLoop.Run(model, Rows, options, Settings.Seed, step => expected.Add(step.Loss));

        AccumulationRun fullBatch = AccumulationComparison.Run(Model, Rows, Settings with { Splits = [new(1, 8)], Normalizations = [LossNormalization.Token] }).Single();

        Assert.HasCount(expected.Count, fullBatch.Losses);
        foreach ((double loss, double trained) in fullBatch.Losses.Zip(expected))
            Assert.AreEqual(trained, loss, 1e-12);
    }

    [TestMethod]
    public void The_full_batch_comes_first_and_only_once_and_has_no_distance_from_itself()
    {
        IReadOnlyList<AccumulationRun> runs = AccumulationComparison.Run(Model, Rows, Settings with { Splits = [new(4, 2), new(1, 8)], Steps = 2 });
        CollectionAssert.AreEqual(
            new[] { "Token 1x8", "Token 4x2", "MicroBatchMean 4x2", "MicroBatchMean 1x8", "Sum 4x2", "Sum 1x8" },
            runs.Select(run => $"{run.Normalization} {run.Split}").ToArray());
        Assert.AreEqual((0.0, 0.0), (runs[0].GradientRelativeError, runs[0].WeightDistance));

        runs = AccumulationComparison.Run(Model, Rows, Settings with { Splits = [new(4, 2)], Normalizations = [LossNormalization.Sum], Steps = 1 });
        CollectionAssert.AreEqual(new[] { "Token 1x8", "Sum 4x2" }, runs.Select(run => $"{run.Normalization} {run.Split}").ToArray());
    }

    [TestMethod]
    public void The_loss_is_that_of_all_targets_of_the_last_ten_batches()
    {
        AccumulationRun run = AccumulationComparison.Run(Model, Rows, Settings with { Splits = [new(1, 8)], Normalizations = [LossNormalization.Token], Steps = 12 }).Single();

        Assert.HasCount(12, run.Batches);
        Assert.HasCount(12, run.WeightDistances);
        BatchLoss[] last = [.. run.Batches.Skip(2)];
        Assert.AreEqual(last.Sum(batch => batch.Sum) / last.Sum(batch => batch.TargetCount), run.Loss, 1e-15);
        Assert.AreNotEqual(last.Average(batch => batch.Mean), run.Loss, 1e-6, "no mean of means");
    }

    [TestMethod]
    public void Progress_is_reported_after_every_step_and_no_tensor_is_left()
    {
        long before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        List<AccumulationProgress> reports = [];
        IReadOnlyList<AccumulationRun> runs = AccumulationComparison.Run(Model, Rows, Settings with { Steps = 3 }, reports.Add);

        CollectionAssert.AreEqual(new[] { 1, 2, 3 }, reports.Select(progress => progress.Step).ToArray());
        CollectionAssert.AreEqual(runs[0].Losses.ToArray(), reports.Select(progress => progress.Loss).ToArray());
        Assert.IsTrue(reports.All(progress => progress.Steps == 3));
        Assert.AreEqual(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
    }

    // CASES 51: mlx-lm tuner/trainer.py, nanochat chat_sft.py, open-instruct finetune.py.
    [TestMethod]
    public void The_notes_name_trainers_that_take_a_mean_of_means()
    {
        ComparisonSettings settings = Settings with { Steps = 1 };
        string notes = string.Join('\n', AccumulationTable.Notes(AccumulationComparison.Run(Model, Rows, settings)));
        foreach (string trainer in (string[])["mlx-lm", "nanochat", "open-instruct"])
            Assert.Contains(trainer, notes);

        IReadOnlyList<AccumulationRun> exact = AccumulationComparison.Run(Model, Rows, settings with { Normalizations = [LossNormalization.Token] });
        Assert.DoesNotContain("mlx-lm", string.Join('\n', AccumulationTable.Notes(exact)), "the control: no mean of means, no names");
    }

    [TestMethod]
    public void A_comparison_can_be_cancelled()
    {
        using CancellationTokenSource source = new();
        int steps = 0;
        Assert.ThrowsExactly<OperationCanceledException>(() => AccumulationComparison.Run(Model, Rows, Settings, _ => { steps++; source.Cancel(); }, source.Token));
        Assert.AreEqual(1, steps);
    }

    [TestMethod]
    public void Settings_that_cannot_be_compared_are_refused_in_one_sentence()
    {
        AssertRefused("2x5 has 10", Settings with { Splits = [new(1, 8), new(2, 5)] });
        AssertRefused("such as 4x4", Settings with { Splits = [new(0, 8)] });
        AssertRefused("at least one split", Settings with { Splits = [] });
        AssertRefused("Normalizations", Settings with { Normalizations = [] });
        AssertRefused("Steps is 0", Settings with { Steps = 0 });
        AssertRefused("LearningRate is NaN", Settings with { LearningRate = double.NaN });
        AssertRefused("Dropout is 0.1", Settings, Model with { Dropout = 0.1 });
        AssertRefused("28 of 29 rows", Settings with { Splits = [new(1, 29)] }, rows: [.. Rows, Ragged.WithoutTargets(5)]);
    }

    [TestMethod]
    [DataRow("4x4", true, 4, 4)]
    [DataRow("16x1", true, 16, 1)]
    [DataRow("4", false, 4, 4)]
    [DataRow("x", false, 0, 0)]
    [DataRow("0x4", false, 0, 4)]
    [DataRow("4x-4", false, 4, 0)]
    [DataRow("4x4x4", false, 4, 4)]
    [DataRow("4 x 4", false, 0, 0)]
    public void Splits_are_parsed_from_their_text(string text, bool isOne, int microBatches, int rows)
    {
        Assert.AreEqual(isOne, BatchSplit.TryParse(text, out BatchSplit split));
        if (isOne)
            Assert.AreEqual((text, new BatchSplit(microBatches, rows)), (split.ToString(), split));
    }

    private static void AssertRefused(string expected, ComparisonSettings settings, Gpt2Configuration? model = null, TokenExample[]? rows = null) =>
        StringAssert.Contains(Assert.Throws<ArgumentException>(() => AccumulationComparison.Run(model ?? Model, rows ?? Rows, settings)).Message, expected);
}
