using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.Models;
using MLNetExtension.Models.Custom;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training;
using MLNetExtension.Training.Averaging;
using MLNetExtension.Training.Optimization;
using MLNetExtension.Training.Reports;
using TorchSharp;
using static MLNetExtension.Tests.Training.Averaging.AveragedTraining;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Averaging;

/// <summary>Averages of the weights against the weights of every step, which the callback of the steps collects.</summary>
[TestClass]
public sealed class WeightAveragingTests
{
    // E_n = sum_k W_k (1 - d_k) prod_(j > k) d_j, with d_0 = 0: every weight in closed form, not step by step. The warm-up is at work up to where (1 + t) / (10 + t) passes the decay.
    [TestMethod]
    [DataRow(0.999)]
    [DataRow(0.5)]
    [DataRow(0)]
    public void The_exponential_average_is_the_weighted_sum_of_all_weights(double decay)
    {
        using var scope = NewDisposeScope();
        Trained trained = Train(Options(WeightAveraging.Exponential(decay)));
        double[] decays = [0, .. Enumerable.Range(0, Steps).Select(t => Math.Min(decay, (1.0 + t) / (10 + t)))];
        Tensor expected = zeros_like(trained.Weights[0]);
        double sum = 0;
        for (int k = 0; k <= Steps; k++)
        {
            double share = (1 - decays[k]) * decays[(k + 1)..].Aggregate(1.0, (product, d) => product * d);
            expected += trained.Weights[k] * share;
            sum += share;
        }
        Assert.AreEqual(1, sum, 1e-14);
        Assert.IsLessThan(1e-12, Ragged.RelativeError(trained.Model, expected));
        if (decay > 0)
            Assert.IsGreaterThan(1e-3, Ragged.RelativeError(trained.Model, trained.Weights[Steps]), "the control: the last weights are others");
        Assert.AreEqual((Steps, true, Steps), (trained.Summary.AveragedSteps, trained.Summary.HasAveragedWeights, trained.Summary.WeightsStep));
        CollectionAssert.AreEqual(Enumerable.Range(0, Steps).ToArray(), trained.Reports.Select(step => step.AveragedSteps).ToArray(), "a step is in the average once a loss was computed with its weights");
    }

    [TestMethod]
    [DataRow(0.25, 1, new[] { 16, 17, 18, 19, 20 })]
    [DataRow(0.5, 3, new[] { 11, 14, 17, 20 })]
    [DataRow(0.5, 4, new[] { 11, 15, 19 })]
    [DataRow(0.7, 100, new[] { 7 })]
    [DataRow(0.01, 1, new[] { 20 })]
    [DataRow(1, 10, new[] { 1, 11 })]
    public void The_uniform_average_is_the_mean_of_the_weights_of_its_steps(double share, int interval, int[] steps)
    {
        using var scope = NewDisposeScope();
        Trained trained = Train(Options(WeightAveraging.Uniform(share, interval)));
        Tensor expected = stack([.. steps.Select(step => trained.Weights[step])]).mean([0]);
        Assert.IsLessThan(1e-12, Ragged.RelativeError(trained.Model, expected));
        Assert.AreEqual(steps.Length, trained.Summary.AveragedSteps);
    }

    [TestMethod]
    public void Averaging_changes_nothing_in_the_training_and_is_used_only_where_it_is_to_be()
    {
        using var scope = NewDisposeScope();
        Trained without = Train(Options(null));
        foreach (WeightAveraging averaging in new[] { WeightAveraging.Exponential(0.9), WeightAveraging.Uniform(0.5, 2) })
        {
            Trained used = Train(Options(averaging)), kept = Train(Options(averaging with { UseInModel = false }));
            for (int step = 0; step <= Steps; step++)
                CollectionAssert.AreEqual(Bytes(without.Weights[step]), Bytes(used.Weights[step]));
            CollectionAssert.AreEqual(Bytes(without.Model), Bytes(kept.Model));
            CollectionAssert.AreNotEqual(Bytes(without.Model), Bytes(used.Model));
            Assert.AreEqual((used.Summary.AveragedSteps, false), (kept.Summary.AveragedSteps, kept.Summary.HasAveragedWeights));
        }
        Assert.AreEqual((0, false), (without.Summary.AveragedSteps, without.Summary.HasAveragedWeights));
    }

    // A batch without targets makes no update, and none is counted.
    [TestMethod]
    public void Steps_that_were_not_applied_do_not_count()
    {
        using var scope = NewDisposeScope();
        TokenExample[] rows = [.. Ragged.Examples(6), Ragged.WithoutTargets(5), Ragged.WithoutTargets(7), .. Ragged.Examples(2, seed: 9)];
        TrainingOptions options = Options(WeightAveraging.Exponential()) with { BatchSize = 1, RowOrder = RowOrder.AsGiven, MaximumSteps = null };
        Trained trained = Train(options, rows: rows);
        Assert.AreEqual((10, 2, 8), (trained.Summary.Steps, trained.Summary.StepsWithoutTargets, trained.Summary.AveragedSteps));
        Tensor average = trained.Weights[0];
        int count = 0;
        foreach (int step in new[] { 1, 2, 3, 4, 5, 6, 9, 10 })
        {
            double decay = (1.0 + count) / (10 + count++);
            average = average * decay + trained.Weights[step] * (1 - decay);
        }
        Assert.IsLessThan(1e-12, Ragged.RelativeError(trained.Model, average));
    }

    // The network gives NaN once a weight has passed a limit: the update that passed it is found out by the next loss alone, and taken back at the end.
    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void A_step_that_is_taken_back_is_not_in_the_average(bool validate)
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = new CustomLanguageModel(new Fragile(limit: 0.06), contextLength: 24);
        List<Tensor> weights = [Weights(model)];
        List<double> measured = [];
        TrainingOptions options = new()
        {
            BatchSize = 4, MaximumSteps = 60, LearningRate = 1e-2, MaximumNonFiniteSteps = 3, Schedule = new() { WarmupSteps = 0, MinimumLearningRateRatio = 1 },
            Batching = new() { MaximumTokensPerMicroBatch = 64, Threads = 1 }, Regularization = new() { Averaging = WeightAveraging.Exponential(0.5) },
        };
        TrainingSummary summary = TrainingLoop.Run(new TrainingRun(model, Ragged.Examples(8), options, Seed: 1)
        {
            OnStep = _ => weights.Add(Weights(model)),
            Validation = validate ? new Validation(Measure, interval: 1) : null,
        });

        int good = summary.Steps - 4;
        Assert.IsTrue(summary.StoppedByNonFiniteSteps);
        Tensor average = weights[0];
        for (int step = 1; step <= good; step++)
        {
            double decay = Math.Min(0.5, step / (9.0 + step));
            average = average * decay + weights[step] * (1 - decay);
        }
        Assert.AreEqual((good, true), (summary.AveragedSteps, summary.HasAveragedWeights));
        Assert.IsTrue(measured.All(double.IsFinite), "what is measured is never what was not good");
        if (!validate)
            Assert.AreEqual(good, summary.WeightsStep);
        Assert.IsLessThan(1e-6, Ragged.RelativeError(Weights(model), average));
        Assert.IsGreaterThan(1e-3, Ragged.RelativeError(Weights(model), average * 0.5 + weights[good + 1] * 0.5), "the control: the step mattered");

        (double, double) Measure(CancellationToken token)
        {
            measured.Add(new RowScorer(model).Score(Ragged.Examples(8), token).Sum(row => row.LossSum));
            return (100 - measured.Count, 1);
        }
    }

    [TestMethod]
    public void A_training_that_loses_its_weights_leaves_a_finite_average()
    {
        using var scope = NewDisposeScope();
        foreach (WeightAveraging averaging in new[] { WeightAveraging.Exponential(), WeightAveraging.Uniform(1) })
        {
            TrainingOptions options = Options(averaging) with { LearningRate = 1e30, Optimizer = new AdamWOptions { WeightDecay = 0.1 } };
            Trained trained = Train(options, ScalarType.Float32);
            Assert.IsTrue(trained.Summary.StoppedByNonFiniteSteps);
            Assert.IsTrue(trained.Model.isfinite().all().item<bool>());
            CollectionAssert.AreEqual(Bytes(trained.Weights[0]), Bytes(trained.Model), "no step was good");
        }
    }

    // float32 beside weights in bfloat16: the average is of the weights in full precision.
    [TestMethod]
    public void The_average_of_a_model_that_computes_in_half_precision_is_in_full_precision()
    {
        using var scope = NewDisposeScope();
        TrainingOptions options = Options(WeightAveraging.Exponential(0.9)) with { Batching = new() { MaximumTokensPerMicroBatch = 50, Precision = ComputePrecision.BFloat16 } };
        Trained trained = Train(options, ScalarType.Float32);
        double[] decays = [.. Enumerable.Range(0, Steps).Select(t => Math.Min(0.9, (1.0 + t) / (10 + t)))];
        Tensor average = trained.Weights[0];
        for (int step = 1; step <= Steps; step++)
            average = average * decays[step - 1] + trained.Weights[step] * (1 - decays[step - 1]);
        Assert.AreEqual(ScalarType.Float32, trained.Model.dtype);
        Assert.IsLessThan(4e-3, Ragged.RelativeError(trained.Model, average), "the weights that are seen after each step are rounded");
        Assert.IsFalse(trained.Model.eq(trained.Model.to(bfloat16).to(float32)).all().item<bool>());
    }

    [TestMethod]
    public void The_average_takes_the_memory_of_one_copy_and_gives_it_back()
    {
        using Gpt2Model model = Ragged.Model(layers: 1);
        Counts(model, null);
        (long before, long[] without, long after) = Counts(model, null);
        (long beforeAverage, long[] with, long afterAverage) = Counts(model, WeightAveraging.Exponential());
        Assert.AreEqual((before, after), (beforeAverage, afterAverage));
        Assert.AreEqual(before, after);
        CollectionAssert.AreEqual(without.Select(count => count + 1).ToArray(), with);

        static (long Before, long[] Meanwhile, long After) Counts(Gpt2Model model, WeightAveraging? averaging)
        {
            List<long> meanwhile = [];
            long before = Live();
            double loss = 9;
            TrainingLoop.Run(new TrainingRun(model, Ragged.Examples(18), Options(averaging) with { MaximumSteps = 6 }, Seed: 1)
            {
                OnStep = _ => meanwhile.Add(Live()),
                Validation = new Validation(_ => (loss--, 1), interval: 1),
            });
            return (before, [.. meanwhile], Live());
        }

        static long Live() => DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
    }

    [TestMethod]
    [DataRow(1.0, 0.25, 1, "Regularization.Averaging.Decay is 1; allowed is from 0 to below 1.")]
    [DataRow(-0.1, 0.25, 1, "Regularization.Averaging.Decay is -0.1; allowed is from 0 to below 1.")]
    [DataRow(null, 0.0, 1, "Regularization.Averaging.Share is 0; allowed is above 0 and at most 1.")]
    [DataRow(null, 1.1, 1, "Regularization.Averaging.Share is 1.1; allowed is above 0 and at most 1.")]
    [DataRow(null, 0.5, 0, "Regularization.Averaging.Interval is 0; allowed is at least 1.")]
    public void An_option_out_of_its_range_is_named(double? decay, double share, int interval, string message)
    {
        WeightAveraging averaging = decay is { } of ? WeightAveraging.Exponential(of) : WeightAveraging.Uniform(share, interval);
        StringAssert.StartsWith(Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Options(averaging).Validate()).Message, message);
    }
}
