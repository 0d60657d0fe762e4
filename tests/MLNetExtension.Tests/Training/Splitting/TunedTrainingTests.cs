using System.Diagnostics;
using System.Runtime.InteropServices;
using MLNetExtension.Data;
using MLNetExtension.Models.Custom;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.Training.Ranks;
using MLNetExtension.Training;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Ranks;
using MLNetExtension.Training.Splitting;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Splitting;

/// <summary>Trainings whose steps try splits.</summary>
[TestClass]
public sealed class TunedTrainingTests
{
    private const int Steps = 60;

    private static readonly TokenExample[] _batch = Ragged.Examples(48, shortest: 6);

    private static TrainingOptions Options => new() { LearningRate = 1e-3, Batching = new() { Threads = 2 } };

    [TestMethod]
    public void Steps_that_try_splits_give_the_weights_of_steps_that_do_not()
    {
        using var scope = NewDisposeScope();
        (Tensor tried, List<SplitPlan> plans) = Train(Options, tune: true);
        (Tensor whole, List<SplitPlan> single) = Train(Options with { Batching = new() { Threads = 2, MaximumTokensPerMicroBatch = 10_000 } }, tune: true);

        Assert.IsLessThan(1e-9, Ragged.RelativeError(tried, whole));
        Assert.IsGreaterThan(3, plans.Distinct().Count());
        Assert.AreEqual(1, single.Distinct().Count());
    }

    [TestMethod]
    public void What_is_fixed_is_repeated_bit_for_bit()
    {
        using var scope = NewDisposeScope();
        TrainingOptions options = Options with { Batching = new() { Threads = 2, MaximumTokensPerMicroBatch = 100, Workers = 2 } };
        (Tensor first, List<SplitPlan> plans) = Train(options, tune: true, steps: 15);
        CollectionAssert.AreEqual(first.bytes.ToArray(), Train(options, tune: true, steps: 15).Weights.bytes.ToArray());
        Assert.AreEqual((100, 2), plans.Select(plan => (plan.Tokens, plan.Workers)).Distinct().Single());
    }

    // A packed row is a pass. The search of earlier versions passed the rows of its first batch through the model 20 times and more.
    [TestMethod]
    public void No_row_is_computed_twice()
    {
        int passes = 0;
        using CustomLanguageModel model = new(new ProbedNetwork((_, _) => Interlocked.Increment(ref passes)), contextLength: 24);
        using TrainingStep step = new(model, Options with { Batching = new() { Threads = 1 } }, tune: true);
        for (int k = 0; k < Steps; k++)
            step.Run(_batch, 1e-3, k);
        Assert.AreEqual(Steps * _batch.Length, passes);
    }

    [TestMethod]
    public void All_ranks_take_the_same_plan_in_every_step()
    {
        (SplitPlan[] Plans, byte[] Weights)[] ranks = ThreadRankGroup.Run(3, group =>
        {
            using var scope = NewDisposeScope();
            (Tensor weights, List<SplitPlan> plans) = Train(Options, tune: true, new RankSetup(group));
            return (plans.ToArray(), weights.bytes.ToArray());
        });
        Assert.IsGreaterThan(1, ranks[0].Plans.Distinct().Count());
        foreach ((SplitPlan[] plans, byte[] weights) in ranks[1..])
        {
            CollectionAssert.AreEqual(ranks[0].Plans, plans);
            CollectionAssert.AreEqual(ranks[0].Weights, weights);
        }
    }

    [TestMethod]
    public void A_trial_for_which_memory_runs_out_is_computed_by_less_and_no_later_one_is_as_large()
    {
        List<(SplitPlan Before, SplitPlan After)> reductions = [];
        using CustomLanguageModel model = new(new ProbedNetwork((_, ids) => OfferMemory(ids.numel())), contextLength: 24);
        using TrainingStep step = new(model, Options with { Batching = new() { PackRows = false, Workers = 1 } }, tune: true) { OnOutOfMemory = (before, after) => reductions.Add((before, after)) };
        List<SplitPlan> plans = [];
        for (int k = 0; k < Steps; k++)
        {
            step.Run(_batch, 1e-3, k);
            plans.Add(step.Plan);
        }
        (SplitPlan before, SplitPlan after) = reductions.Single();
        Assert.AreEqual((256, 128), (before.Tokens, after.Tokens));
        Assert.AreEqual(128, plans.Max(plan => plan.Tokens), "the plan of a step is the one by which it was computed");

        // Fails as libtorch's allocator does. Passes over less are slow, so that more is worth a try.
        static void OfferMemory(long positions)
        {
            if (positions > 200)
                throw new ExternalException($"[enforce fail at alloc_cpu.cpp:75] . DefaultCPUAllocator: can't allocate memory: you tried to allocate {positions} bytes.");
        }
    }

    // Where the gradient depends on the split, all steps have the same.
    [TestMethod]
    [DataRow(LossNormalization.Token, RouterBalanceScope.Batch, true)]
    [DataRow(LossNormalization.Sum, RouterBalanceScope.Batch, true)]
    [DataRow(LossNormalization.MicroBatchMean, RouterBalanceScope.Batch, false)]
    [DataRow(LossNormalization.Token, RouterBalanceScope.MicroBatch, false)]
    public void Splits_are_tried_where_they_give_the_same_gradient(LossNormalization normalization, RouterBalanceScope scope, bool tries)
    {
        using Gpt2Model model = Ragged.Model();
        using TrainingStep step = new(model, Options with { Loss = new() { Normalization = normalization, RouterBalanceScope = scope } }, tune: true);
        Assert.AreEqual(tries, step.IsSearching);
    }

    // Said by an earlier version: the fewest tokens, because the peak of the process's whole life was above the limit. The control is a limit below what the process holds.
    [TestMethod]
    [TestCategory("Alone")]
    [DoNotParallelize]
    [DataRow(500, true)]
    [DataRow(-50, false)]
    public void A_process_that_once_held_much_more_than_the_limit_still_tries_what_fits(int moreMiB, bool tries)
    {
        ones(300 << 20).Dispose();    // 1,200 MiB
        int limit = (int)(Environment.WorkingSet >> 20) + moreMiB;
        using Process process = Process.GetCurrentProcess();
        Assert.IsGreaterThan(limit, process.PeakWorkingSet64 >> 20);

        // A pass takes as long whatever its size, so that half the passes are twice as fast.
        using CustomLanguageModel model = new(new ProbedNetwork((_, _) => SpinWait.SpinUntil(() => false, 2)), contextLength: 24);
        using TrainingStep step = new(model, Options with { Batching = new() { Threads = 1, PackRows = false, MemoryLimitMiB = limit } }, tune: true);
        for (int k = 0; step.IsSearching && k < Steps; k++)
            step.Run(_batch, 1e-3, k);
        Assert.AreEqual(tries, step.Plan.Tokens > 128, $"{step.Plan}");
    }

    [TestMethod]
    [TestCategory("Alone")]
    [DoNotParallelize]
    public void What_a_step_takes_is_the_memory_in_use_while_it_runs()
    {
        using MemoryWatch watch = new(CPU, limitMiB: 100_000);
        watch.Start();
        using (Tensor held = ones(200 << 20))
            Thread.Sleep(30);    // samples are taken every 5
        (double with, double limit) = watch.Stop();
        watch.Start();
        (double without, _) = watch.Stop();
        Assert.IsTrue(with is > 750 and < 1000, $"{with}");
        Assert.IsLessThan(200, without);
        Assert.IsLessThan(100_000, limit);
    }

    private static (Tensor Weights, List<SplitPlan> Plans) Train(TrainingOptions options, bool tune, RankSetup? ranks = null, int steps = Steps)
    {
        using Gpt2Model model = Ragged.Model(layers: 1);
        model.train();
        using TrainingStep step = new(model, options, tune, ranks: ranks);
        List<SplitPlan> plans = [];
        for (int k = 0; k < steps; k++)
        {
            step.Run(_batch, options.LearningRate, dropoutSeed: k);
            plans.Add(step.Plan);
        }
        return (step.Parameters.Values.clone(), plans);
    }
}
