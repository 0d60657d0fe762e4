using MLNetExtension.Training.Optimization;
using MLNetExtension.Data;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training;
using MLNetExtension.Training.Reports;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training;

[TestClass]
public sealed class TrainingLoopTests
{
    // 8 rows a batch; the budget alone splits it: 10,000 tokens take it whole, 1 token gives a row a micro-batch.
    [TestMethod]
    public void Two_hundred_steps_split_1x8_and_8x1_end_with_the_same_weights()
    {
        using var scope = NewDisposeScope();
        (Tensor whole, int wholeMicroBatches) = Train(maximumTokens: 10_000);
        (Tensor rowByRow, int rowMicroBatches) = Train(maximumTokens: 1);

        Assert.AreEqual(200, wholeMicroBatches);
        Assert.AreEqual(1600, rowMicroBatches);
        Assert.IsLessThan(1e-8, Ragged.RelativeError(rowByRow, whole));

        static (Tensor Weights, int MicroBatches) Train(int maximumTokens)
        {
            using Gpt2Model model = Ragged.Model(layers: 1);
            int microBatches = 0;
            TrainingLoop.Run(
                model, Ragged.Examples(32), new TrainingOptions { MaximumSteps = 200, Batching = new() { MaximumTokensPerMicroBatch = maximumTokens } }, seed: 5, step => microBatches += step.MicroBatches);
            return (Weights(model), microBatches);
        }
    }

    [TestMethod]
    public void Training_lowers_the_loss()
    {
        List<double> losses = [];
        Run(new TrainingOptions { MaximumSteps = 100, BatchSize = 8, Schedule = new() { WarmupSteps = 5 } }, Ragged.Examples(8), losses);
        Assert.IsLessThan(losses[0] / 2, losses[^1]);
    }

    // torchtune and litgpt dropped a short last batch; transformers #38837 divided it by the configured number of micro-batches.
    // Seen to fail with: batches below the batch size left out; one target too many a row; the sums of the batch before kept. What the gradient is divided by is for PlainLoopTests to see.
    [TestMethod]
    public void A_short_last_batch_is_kept_and_divided_by_its_own_targets()
    {
        TokenExample[] examples = Ragged.Examples(10);
        List<StepReport> steps = [];
        using Gpt2Model model = Ragged.Model();
        TrainingLoop.Run(model, examples, new TrainingOptions { BatchSize = 4, MaximumEpochs = 1, LearningRate = 1e-300, Optimizer = new AdamWOptions { WeightDecay = 0 } }, seed: 1, steps.Add);

        CollectionAssert.AreEqual(new[] { 4, 4, 2 }, steps.Select(s => s.Rows).ToArray());
        Assert.AreEqual(examples.Sum(e => (long)e.TargetCount), steps.Sum(s => s.TargetTokens));

        // With weights that stand still, the token-weighted mean of the batches' losses is the loss of all rows together.
        double expected = Ragged.FullBatch(examples).Loss;
        Assert.AreEqual(expected, steps.Sum(s => s.Loss * s.TargetTokens) / steps.Sum(s => s.TargetTokens), 1e-12 * expected);
    }

    // ML.NET's own torch trainers seed every epoch alike and never shuffle.
    [TestMethod]
    public void Every_epoch_visits_every_row_once_in_an_order_of_its_own()
    {
        List<StepReport> steps = [];
        TokenExample[] examples = [.. Enumerable.Range(0, 12).Select(row => Ragged.Example(new Random(row), row + 1, row, masked: 0))];
        using Gpt2Model model = Ragged.Model();
        TrainingLoop.Run(model, examples, new TrainingOptions { BatchSize = 1, MaximumEpochs = 3 }, seed: 1, steps.Add);

        long[][] lengths = [.. steps.GroupBy(s => s.Epoch).Select(epoch => epoch.Select(s => s.TargetTokens).ToArray())];
        Assert.HasCount(3, lengths);
        foreach (long[] epoch in lengths)
            CollectionAssert.AreEquivalent(Enumerable.Range(1, 12).Select(n => (long)n).ToArray(), epoch);
        CollectionAssert.AreNotEqual(lengths[0], lengths[1]);
        CollectionAssert.AreNotEqual(lengths[1], lengths[2]);
    }

    [TestMethod]
    public void The_same_seed_gives_the_same_model_dropout_included()
    {
        using var scope = NewDisposeScope();
        Assert.AreEqual(0, Ragged.RelativeError(Train(3), Train(3)));
        Assert.AreNotEqual(0, Ragged.RelativeError(Train(3), Train(4)));

        static Tensor Train(int seed)
        {
            using Gpt2Model model = Ragged.Model(dropout: 0.2);
            TrainingLoop.Run(model, Ragged.Examples(8), new TrainingOptions { MaximumSteps = 5, BatchSize = 4 }, seed);
            return Weights(model);
        }
    }

    // ML.NET's torch trainers reseed the process-wide generator.
    [TestMethod]
    [DoNotParallelize]  // the state is the process's: a test beside this one may draw from it
    public void Training_leaves_the_callers_random_state_alone()
    {
        using var scope = NewDisposeScope();
        byte[] before = random.get_rng_state().bytes.ToArray();
        using Gpt2Model model = Ragged.Model(dropout: 0.2);
        TrainingLoop.Run(model, Ragged.Examples(8), new TrainingOptions { MaximumSteps = 3 }, seed: 1);
        CollectionAssert.AreEqual(before, random.get_rng_state().bytes.ToArray());
    }

    // In ML.NET's GenAI trainer the attention's and feed-forward's weights were buffers, so they never trained.
    [TestMethod]
    public void Every_trainable_parameter_changes()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model();
        Dictionary<string, Tensor> before = model.named_parameters().ToDictionary(p => p.name, p => p.parameter.detach().clone());
        TrainingLoop.Run(model, Ragged.Examples(8), new TrainingOptions { MaximumSteps = 3 }, seed: 1);
        foreach ((string name, TorchSharp.Modules.Parameter parameter) in model.named_parameters())
            Assert.IsGreaterThan(0, (parameter - before[name]).abs().max().ToDouble(), name);
    }

    // trl #6668, OLMo-core #657, NeMo Automodel #3796: NaN, or a loss of 0 reported. Seen to fail with: the loss divided by the targets of the batch before.
    [TestMethod]
    public void A_batch_without_targets_makes_no_update_and_is_counted()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model();
        List<StepReport> steps = [];
        TokenExample[] examples = [.. Ragged.Examples(1), .. Enumerable.Range(0, 3).Select(_ => Ragged.WithoutTargets(4))];
        TrainingSummary summary = TrainingLoop.Run(model, examples, new TrainingOptions { BatchSize = 1, MaximumEpochs = 2 }, seed: 1, steps.Add);

        Assert.AreEqual(6, summary.StepsWithoutTargets);
        Assert.AreEqual(6, steps.Count(s => s.Outcome == StepOutcome.NoTargets && double.IsNaN(s.Loss)));
        Assert.IsTrue(isfinite(Weights(model)).all().item<bool>());
    }

    [TestMethod]
    public void Steps_that_are_not_finite_are_reported_with_their_rows_and_never_applied()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model();
        using (no_grad())
            model.HeadWeight[0].fill_(double.NaN);
        Tensor before = Weights(model);
        List<StepReport> steps = [];
        TrainingSummary summary = TrainingLoop.Run(model, Ragged.Examples(4), new TrainingOptions { BatchSize = 2, MaximumEpochs = 50, MaximumNonFiniteSteps = 3 }, seed: 1, steps.Add);

        Assert.IsTrue(summary.StoppedByNonFiniteSteps);
        Assert.AreEqual(3, summary.NonFiniteSteps);
        Assert.HasCount(3, steps);
        foreach (StepReport step in steps)
            Assert.HasCount(2, step.ExamplePositions);
        CollectionAssert.AreEqual(before.bytes.ToArray(), Weights(model).bytes.ToArray());
    }

    [TestMethod]
    public void No_limit_means_one_epoch_and_zero_steps_leave_the_model_as_it_was()
    {
        using var scope = NewDisposeScope();
        TokenExample[] examples = Ragged.Examples(5);
        Assert.AreEqual(3, Run(new TrainingOptions { BatchSize = 2 }, examples).Steps);
        Assert.AreEqual(0, Run(new TrainingOptions { MaximumSteps = 0 }, examples).Steps);
        Assert.AreEqual(0, Run(new TrainingOptions { MaximumDuration = TimeSpan.Zero }, examples).Steps);
        Assert.AreEqual(4, Run(new TrainingOptions { BatchSize = 2, MaximumSteps = 4, MaximumEpochs = 9 }, examples).Steps);
    }

    [TestMethod]
    public void Rows_without_any_target_are_a_clear_error()
    {
        ArgumentException error = Assert.ThrowsExactly<ArgumentException>(() => Run(new TrainingOptions(), [Ragged.WithoutTargets(3), Ragged.WithoutTargets(4)]));
        StringAssert.Contains(error.Message, "none of the 2 rows has a target token");
    }

    [TestMethod]
    public void Cancelling_stops_before_the_next_step()
    {
        using CancellationTokenSource source = new();
        using Gpt2Model model = Ragged.Model();
        int steps = 0;
        TrainingRun run = new(model, Ragged.Examples(8), new TrainingOptions { BatchSize = 1, MaximumEpochs = 100 }, Seed: 1)
        {
            OnStep = _ =>
            {
                if (++steps == 3)
                    source.Cancel();
            },
            CancellationToken = source.Token,
        };
        Assert.ThrowsExactly<OperationCanceledException>(() => TrainingLoop.Run(run));
        Assert.AreEqual(3, steps);
    }

    [TestMethod]
    public void Training_leaves_no_tensor_behind()
    {
        using Gpt2Model model = Ragged.Model();
        Run();
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Run();
        Assert.AreEqual(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        void Run() => TrainingLoop.Run(model, Ragged.Examples(8), new TrainingOptions { MaximumSteps = 4, BatchSize = 4, Batching = new() { MaximumTokensPerMicroBatch = 30 } }, seed: 1);
    }

    private static TrainingSummary Run(TrainingOptions options, IReadOnlyList<TokenExample> examples, List<double>? losses = null)
    {
        using Gpt2Model model = Ragged.Model();
        return TrainingLoop.Run(model, examples, options, seed: 1, step => losses?.Add(step.Loss));
    }

    private static Tensor Weights(Gpt2Model model) => cat([.. model.parameters().Select(p => p.detach().flatten())]);
}
