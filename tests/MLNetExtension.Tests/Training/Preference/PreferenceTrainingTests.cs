using MLNetExtension.Data;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Losses;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.Models.Lora;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tests.Training.Ranks;
using MLNetExtension.Training;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Optimization;
using MLNetExtension.Training.Preference;
using MLNetExtension.Training.Ranks;
using MLNetExtension.Training.Reports;
using MLNetExtension.Training.Resume;
using MLNetExtension.Training.Splitting;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Preference;

/// <summary>The two passes inside a training: dropout, ranks, memory, resuming, reports.</summary>
[TestClass]
public sealed class PreferenceTrainingTests
{
    private const int Steps = 6;

    private static TrainingOptions Options => new()
    {
        BatchSize = 3,
        LearningRate = 1e-3,
        MaximumSteps = Steps,
        Optimizer = new AdamWOptions { Epsilon = 1e-6 },    // see RankLawTests
        Batching = new() { MaximumTokensPerMicroBatch = 40 },
    };

    // Were the masks of the two passes others, the derivatives would be those of another function's losses.
    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void Both_passes_see_the_same_dropout(bool pack)
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model(dropout: 0.3);
        Adapted.Attach(model, new LoraOptions { Rank = 2, Dropout = 0.3 });
        model.train();
        using BatchGradient gradient = new(model, new GradientSettings { Pack = pack });
        IReadOnlyList<IReadOnlyList<TokenExample>> microBatches = Ragged.Split(Preferences.Rows(pairs: 4), 3);
        double Sum(long seed, int workers) => -gradient.ComputeLogProbabilities(microBatches, workers, seed, CancellationToken.None).Sum(rows => rows.Sum());
        double backward = gradient.Accumulate(microBatches, workers: 2, dropoutSeed: 5).Sum;

        Assert.AreEqual(backward, Sum(5, 2), 1e-12 * backward);
        Assert.AreEqual(backward, Sum(5, 1), 1e-12 * backward);
        Assert.IsGreaterThan(1e-3, Math.Abs(backward - Sum(6, 2)) / backward, "another seed, other masks");
    }

    // By hand with the same split and seed; SGD takes the gradient as it is.
    [TestMethod]
    public void A_step_gives_both_passes_its_own_seed_of_dropout()
    {
        using var scope = NewDisposeScope();
        TokenExample[] rows = Preferences.Rows(pairs: 4);
        (PreferenceSums sums, Tensor gradient) = ByHand(seed: 9);
        using Gpt2Model model = Ragged.Model(dropout: 0.3);
        model.train();
        TrainingOptions options = Options with { Optimizer = new SgdOptions { Momentum = 0, WeightDecay = 0, MaximumGradientNorm = 0 }, Batching = new() { MaximumTokensPerMicroBatch = 40, PackRows = true } };
        using TrainingStep step = new(model, options, tune: false) { Preference = new PreferenceObjective(PreferenceMethod.SimPo()) };
        Tensor before = step.Parameters.Values.clone();
        StepResult result = step.Run(rows, learningRate: 0.5, dropoutSeed: 9);
        Assert.AreEqual(sums.Loss, result.Preference!.Value.Loss, 1e-12 * sums.Loss);
        Assert.IsLessThan(1e-11, Ragged.RelativeError((before - step.Parameters.Values) / 0.5, gradient));
        Assert.IsGreaterThan(1e-3, Ragged.RelativeError(ByHand(seed: 10).Gradient, gradient), "another seed, another gradient");

        (PreferenceSums Sums, Tensor Gradient) ByHand(long seed)
        {
            using Gpt2Model other = Ragged.Model(dropout: 0.3);
            other.train();
            using BatchGradient batch = new(other, new GradientSettings { Pack = true });
            IReadOnlyList<IReadOnlyList<TokenExample>> microBatches = new SplitPlan(40, 1, null, Pack: true).Split(rows);
            FirstPass first = new(rows);
            first.Set(microBatches, batch.ComputeLogProbabilities(microBatches, 1, seed, CancellationToken.None));
            PreferenceStep weights = new PreferenceObjective(PreferenceMethod.SimPo()).Weigh(first);
            batch.Accumulate([.. microBatches.Select(weights.Apply)], dropoutSeed: seed);
            return (weights.Sums, batch.Parameters.Gradients.clone());
        }
    }

    [TestMethod]
    [DataRow("dpo", 2)]
    [DataRow("orpo", 3)]
    [DataRow("kto", 3)]
    public void Any_number_of_ranks_gives_the_weights_of_one(string method, int ranks)
    {
        using var scope = NewDisposeScope();
        (Tensor expected, List<StepReport> alone) = Train(method, 1);
        (Tensor actual, List<StepReport> together) = Train(method, ranks);
        using Gpt2Model before = Ragged.Model();
        Assert.IsGreaterThan(1e-3, Ragged.RelativeError(expected, Weights(before)), "something was trained");
        Assert.IsLessThan(1e-11, Ragged.RelativeError(actual, expected));
        for (int step = 0; step < Steps; step++)
        {
            Assert.AreEqual(alone[step].Loss, together[step].Loss, 1e-11);
            Assert.AreEqual(alone[step].Preference!.RewardMargin, together[step].Preference!.RewardMargin, 1e-10);
            Assert.AreEqual((alone[step].Rows, alone[step].TargetTokens), (together[step].Rows, together[step].TargetTokens));
        }
    }

    // What is given is not added up over the ranks, as what they measure is.
    [TestMethod]
    public void Any_number_of_ranks_takes_a_given_reference_as_it_is()
    {
        using var scope = NewDisposeScope();
        double[] reference = [.. Preferences.Rows(pairs: 9).Select((row, i) => -row.TargetCount - 0.1 * i)];
        (Tensor alone, Tensor together, Tensor measured) = (Train("dpo", 1, reference).Weights, Train("dpo", 2, reference).Weights, Train("dpo", 1).Weights);
        Assert.IsLessThan(1e-11, Ragged.RelativeError(together, alone));
        Assert.IsGreaterThan(1e-6, Ragged.RelativeError(measured, alone), "the reference matters");
    }

    // A batch is three pairs, of which rows without pairs train on the first row alone: trl #6439, what the loss does not see is not counted.
    [TestMethod]
    [DataRow("dpo")]
    [DataRow("kto")]
    public void Reports_count_pairs_and_the_tokens_that_are_trained_on(string method)
    {
        using var scope = NewDisposeScope();
        TokenExample[] rows = Preferences.Rows(pairs: 9);
        List<StepReport> steps = Train(method, 1).Steps;
        Assert.IsTrue(steps.All(step => step.Rows == 3));
        Assert.AreEqual(rows.Where((_, i) => method != "kto" || i % 2 == 0).Sum(row => (long)row.TargetCount), steps.Take(3).Sum(step => step.TargetTokens));
        StepReport first = steps[0], last = steps[^1];
        Assert.AreEqual(0, first.Preference!.RewardMargin, 1e-12, "the model is its own reference");
        Assert.IsGreaterThan(first.Preference.RewardMargin, last.Preference!.RewardMargin);
        Assert.AreEqual(last.Accuracy, last.Preference.Accuracy);
    }

    // What a batch was split into before memory ran out has no part in the step: with dropout, it gives the weights of a training that began with the smaller micro-batches.
    [TestMethod]
    public void Where_memory_runs_out_in_the_second_pass_both_begin_again()
    {
        using var scope = NewDisposeScope();
        Tensor Train(int tokens, int failAt)
        {
            using Gpt2Model model = Ragged.Model(dropout: 0.2);
            TrainingOptions options = Options with { Loss = new() { TokenLoss = new FailingLoss(failAt) }, Batching = new() { MaximumTokensPerMicroBatch = tokens, Workers = 1 } };
            model.train();
            using TrainingStep step = new(model, options, tune: false) { Preference = new PreferenceObjective(PreferenceMethod.SimPo()) };
            step.Run(Preferences.Rows(pairs: 4), 1e-3, dropoutSeed: 9);
            return Weights(model).MoveToOuterDisposeScope();
        }
        Tensor expected = Train(32, failAt: 0);
        Assert.IsLessThan(1e-14, Ragged.RelativeError(Train(64, failAt: 2), expected));
        Assert.IsGreaterThan(1e-6, Ragged.RelativeError(Train(64, failAt: 0), expected), "another split has other masks");
    }

    // Where adapters are trained the reference is the model without them, which need not be switched off: they add nothing before the first step.
    [TestMethod]
    public void The_reference_of_adapters_is_the_model_without_them()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model(), plain = Ragged.Model();
        HuggingFaceAdapters.Attach(model, new LoraOptions { Rank = 2 }, seed: 2);
        TokenExample[] rows = Preferences.Rows(pairs: 6);
        double[] expected = ScoresOf(plain, rows);
        List<StepReport> steps = [];
        PreferenceObjective objective = new(PreferenceMethod.Dpo());
        TrainingLoop.Run(new TrainingRun(model, rows, Options with { BatchSize = 6, MaximumSteps = 8, LearningRate = 0.1 }, Seed: 1) { Preference = objective, OnStep = steps.Add });

        CollectionAssert.AreEqual(ScoresOf(plain, rows), expected);
        Assert.IsGreaterThan(1e-3, ScoresOf(model, rows).Zip(expected, (a, b) => Math.Abs(a - b)).Max(), "adapters were trained");
        // The rewards that the last step would have reported with the trained weights, by hand from the plain model's scores.
        double[] trained = ScoresOf(model, rows);
        double margin = Enumerable.Range(0, 6).Average(i => 0.1 * (trained[2 * i] - expected[2 * i] - trained[2 * i + 1] + expected[2 * i + 1]));
        PreferenceSums sums = objective.Measure(new(model), rows, CancellationToken.None);
        Assert.AreEqual(margin, sums.Chosen.MeanReward - sums.Rejected.MeanReward, 1e-10);
    }

    [TestMethod]
    [DataRow("dpo")]
    [DataRow("kto")]
    public void A_resumed_training_equals_an_uninterrupted_one_bit_for_bit(string method)
    {
        using var scope = NewDisposeScope();
        using Gpt2Model expected = Ragged.Model(ScalarType.Float32, dropout: 0.1), actual = Ragged.Model(ScalarType.Float32, dropout: 0.1);
        List<double> whole = [], parts = [];
        TrainingLoop.Run(RunOf(expected, method) with { OnStep = step => whole.Add(step.Loss) });
        using TemporaryFolder folder = new();
        using CancellationTokenSource source = new();
        Assert.ThrowsExactly<OperationCanceledException>(() => Resume(actual, step =>
        {
            parts.Add(step.Loss);
            if (step.Step == 4)
                source.Cancel();
        }));
        // The reference is that of the weights that training began with, so a process that resumes begins with them again, as Fit does.
        using Gpt2Model resumed = Ragged.Model(ScalarType.Float32, dropout: 0.1);
        actual.Dispose();
        Resume(resumed, step => parts.Add(step.Loss), cancel: false);
        CollectionAssert.AreEqual(whole, parts);
        CollectionAssert.AreEqual(Weights(expected).bytes.ToArray(), Weights(resumed).bytes.ToArray());

        void Resume(Gpt2Model model, Action<StepReport> onStep, bool cancel = true)
        {
            using CheckpointFolder opened = CheckpointFolder.Open(folder.Path);
            CheckpointManager checkpoints = new(opened, interval: 1, new Dictionary<string, string>());
            TrainingLoop.Run(RunOf(model, method) with { OnStep = onStep, Checkpoints = checkpoints, CancellationToken = cancel ? source.Token : default });
        }
    }

    private static TrainingRun RunOf(Gpt2Model model, string method, double[]? reference = null) =>
        new(model, Preferences.Rows(pairs: 9), Options, Seed: 3) { Preference = new PreferenceObjective(Preferences.Methods[method], reference) };

    private static (Tensor Weights, List<StepReport> Steps) Train(string method, int size, double[]? reference = null)
    {
        List<StepReport> steps = [];
        Tensor[] weights = ThreadRankGroup.Run(size, ranks =>
        {
            using var scope = NewDisposeScope();
            using Gpt2Model model = Ragged.Model();
            TrainingLoop.Run(RunOf(model, method, reference) with { Ranks = new RankSetup(ranks), OnStep = steps.Add });
            return Weights(model).DetachFromDisposeScope();
        });
        foreach (Tensor other in weights[1..])
            other.Dispose();
        Assert.HasCount(Steps, steps);
        return (weights[0], steps);
    }

    private static double[] ScoresOf(Gpt2Model model, TokenExample[] rows)
    {
        model.eval();
        return [.. new MLNetExtension.Evaluation.RowScorer(model).Score(rows).Select(score => -score.LossSum)];
    }

    private static Tensor Weights(Gpt2Model model) => cat([.. model.parameters().Where(p => p.requires_grad).Select(p => p.detach().flatten())]);

    /// <summary>The cross entropy, for which memory runs out once.</summary>
    private sealed class FailingLoss(int failAt) : ITokenLoss
    {
        private readonly LinearCrossEntropy _loss = new();
        private int _calls;

        public LossSum Backward(TokenTargets targets, TokenGradients gradients) =>
            ++_calls == failAt ? throw new OutOfMemoryException() : _loss.Backward(targets, gradients);
    }
}
