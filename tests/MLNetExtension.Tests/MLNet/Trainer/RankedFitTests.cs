using MLNetExtension.Training.Optimization;
using System.Runtime.InteropServices;
using Microsoft.ML;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tests.Training;
using MLNetExtension.Tests.Training.Ranks;
using MLNetExtension.Training;
using MLNetExtension.Training.Reports;
using static MLNetExtension.Tests.MLNet.Tiny;

namespace MLNetExtension.Tests.MLNet.Trainer;

/// <summary><c>Fit</c> on several ranks, which are threads here, each with a context of its own.</summary>
[TestClass]
public sealed class RankedFitTests
{
    // What decides is the validation loss: its patience runs out at the same step on every rank, and at the same as alone.
    // Seen to fail with: the validation loss of each rank's own rows.
    [TestMethod]
    public void Fit_on_three_ranks_is_fit_on_one()
    {
        using var expected = Fit(Options(), new MLContext(seed: 1));
        Outcome[] outcomes = FitOnRanks(3, (_, options) => { });

        foreach (Outcome outcome in outcomes)
        {
            Assert.AreEqual((expected.Training!.End, expected.Training.Steps, expected.Training.BestStep), (outcome.Summary.End, outcome.Summary.Steps, outcome.Summary.BestStep));
            Assert.AreEqual(expected.Training.ValidationLoss!.Value, outcome.Summary.ValidationLoss!.Value, 1e-5);
            CollectionAssert.AreEqual(outcomes[0].Losses, outcome.Losses);
        }
        var context = new MLContext(seed: 1);
        float[] losses = [.. Score(context, expected, Rows(context, Texts)).Select(row => row.LossSum)];
        for (int row = 0; row < losses.Length; row++)
            Assert.AreEqual(losses[row], outcomes[0].Losses[row], 1e-4 * losses[row]);

        static CausalLanguageModelTrainer.Options Options() => Validated(Tiny.Options(steps: 12));
    }

    // Seen to fail with: steps reported on every rank.
    [TestMethod]
    public void The_first_rank_logs_reports_and_writes_checkpoints_for_all()
    {
        using TemporaryFolder folder = new();
        int[] reported = new int[3];
        Outcome[] outcomes = FitOnRanks(3, (rank, options) =>
        {
            options.Progress = new Progress(_ => reported[rank]++);
            options.Checkpoints = new() { Folder = folder.Path, Interval = 5 };
        });
        CollectionAssert.AreEqual(new[] { outcomes[0].Summary.Steps, 0, 0 }, reported);
        Assert.ContainsSingle(line => line.Contains("3 ranks (all on this machine) compute each batch together, 1 thread in this one; each has its share of the optimizer's state."), outcomes[0].Log);
        Assert.IsNotEmpty(folder.Names);
        Assert.IsEmpty(outcomes[1].Log.Concat(outcomes[2].Log).Where(line => line.Contains("CausalLanguageModelTrainer") && !line.Contains("Kind=Trace")));
    }

    // Contexts without a seed draw one each.
    [TestMethod]
    public void A_seed_that_was_drawn_is_the_first_ranks()
    {
        Outcome[] outcomes = FitOnRanks(2, (_, options) => (options.Seed, options.Validation) = (null, null), () => new MLContext());
        CollectionAssert.AreEqual(outcomes[0].Losses, outcomes[1].Losses);
        Assert.AreEqual(outcomes[0].Seed, outcomes[1].Seed);
    }

    [TestMethod]
    [DataRow("BatchSize", "BatchSize is 4 on rank 0 and 3 on rank 1.")]
    [DataRow("Steps", "MaximumSteps is 12 on rank 0 and 13 on rank 1.")]
    [DataRow("Data", "the training data is ")]
    [DataRow("Shard", "Ranks.ShardOptimizer is True on rank 0 and False on rank 1.")]
    public void What_differs_between_ranks_is_an_error_on_all_that_names_it(string what, string expected)
    {
        Exception[] errors = FailOnRanks(3, (rank, options) =>
        {
            if (rank != 1)
                return;
            if (what == "BatchSize")
                options.BatchSize = 3;
            else if (what == "Steps")
                options.MaximumSteps = 13;
            else if (what == "Data")
                options.Columns = InputColumns.Text(nameof(Row.Text) + "2");
            else
                options.Ranks = options.Ranks! with { ShardOptimizer = false };
        });
        foreach (Exception error in errors)
        {
            Assert.IsInstanceOfType<InvalidOperationException>(error);
            Assert.Contains(expected, error.Message);
        }
        Assert.StartsWith("The ranks do not train the same: ", errors[1].Message);
        Assert.StartsWith("Rank 1 of 3 failed: The ranks do not train the same: ", errors[0].Message);
    }

    // Seen to fail without the agreement: the others only learn that calls are unequal.
    [TestMethod]
    [DataRow(0)]
    [DataRow(5)]
    public void A_rank_that_fails_fails_all_with_its_message(int failing)
    {
        int passes = 0;
        Exception[] errors = FailOnRanks(3, (rank, options) => (options.Validation, options.Model) = (null, LanguageModel.Custom("broken", () => new ProbedNetwork((_, _) =>
        {
            if (rank == 2 && passes++ >= failing)
                throw new TimeoutException("the disk is on fire");
        }, vocabulary: 257), contextLength: 64)));
        Assert.IsInstanceOfType<TimeoutException>(errors[2]);
        Assert.AreEqual("Rank 2 of 3 failed: the disk is on fire", errors[0].Message);
        Assert.AreEqual(errors[0].Message, errors[1].Message);
    }

    // A reader's error comes while rows are read, before anything is trained.
    [TestMethod]
    public void A_row_that_cannot_be_read_on_one_rank_fails_all()
    {
        Exception[] errors = FailOnRanks(2, (_, _) => { }, (rank, context) => rank == 0 ? Rows(context, Texts) : context.Data.LoadFromEnumerable(Torn()));
        Assert.AreEqual("Rank 1 of 2 failed: row 2 is torn", errors[0].Message);
        Assert.AreEqual("row 2 is torn", errors[1].GetBaseException().Message);

        static IEnumerable<Row> Torn()
        {
            yield return new Row { Text = "one" };
            yield return new Row { Text = "two" };
            throw new InvalidDataException("row 2 is torn");
        }
    }

    // Seen to fail with: requests that are not shared.
    [TestMethod]
    public void A_stop_that_one_rank_is_asked_for_ends_all_at_the_same_step()
    {
        using CancellationTokenSource stop = new();
        Outcome[] outcomes = FitOnRanks(3, (rank, options) =>
        {
            options.Validation = null;
            if (rank == 0)
                options.Progress = new Progress(step => { if (step.Step == 4) stop.Cancel(); });
            if (rank == 2)
                options.StopToken = stop.Token;
        });
        // Rank 2 may have said that nobody asked it for a stop, and be waiting for rank 0, when rank 0 asks it.
        Assert.IsInRange(4, 5, outcomes[0].Summary.Steps);
        foreach (Outcome outcome in outcomes)
            Assert.AreEqual((StopReason.Requested, outcomes[0].Summary.Steps), (outcome.Summary.End, outcome.Summary.Steps));
    }

    [TestMethod]
    public void A_cancellation_of_one_rank_cancels_all()
    {
        using CancellationTokenSource cancel = new();
        Exception[] errors = FailOnRanks(3, (rank, options) =>
        {
            if (rank == 0)
                options.Progress = new Progress(step => { if (step.Step == 2) cancel.Cancel(); });
            if (rank == 1)
                options.CancellationToken = cancel.Token;
        });
        foreach (Exception error in errors)
            Assert.IsInstanceOfType<OperationCanceledException>(error);
    }

    // The clock of the last rank begins later than those of the others; the first one's counts. Seen to fail with each rank's own: unequal calls.
    [TestMethod]
    public void Time_runs_out_for_all_ranks_at_the_same_step()
    {
        using ManualResetEventSlim never = new();
        Outcome[] outcomes = FitOnRanks(3, (rank, options) =>
        {
            (options.MaximumSteps, options.MaximumDuration, options.Validation) = (null, TimeSpan.FromSeconds(1), null);
            options.OnStart = _ => never.Wait(rank == 2 ? 500 : 0);
        });
        Assert.IsGreaterThanOrEqualTo(1, outcomes[0].Summary.Steps);
        Assert.AreEqual(1, outcomes.Select(outcome => outcome.Summary.Steps).Distinct().Count());
    }

    // Rank 1 alone runs out of memory, with the batch's largest micro-batch; the plan that it comes to is taken by all.
    [TestMethod]
    public void Memory_that_runs_out_on_one_rank_changes_the_plan_of_all_and_not_the_result()
    {
        Outcome[] plain = FitOnRanks(2, (_, options) => Limit(options, int.MaxValue)), starved = FitOnRanks(2, (rank, options) => Limit(options, rank == 1 ? 64 : int.MaxValue));
        string warning = starved[0].Log.Single(line => line.Contains("memory ran out"));
        Assert.Contains("Step 1: memory ran out; micro-batches hold at most ", warning);
        for (int row = 0; row < plain[0].Losses.Length; row++)
            Assert.AreEqual(plain[0].Losses[row], starved[0].Losses[row], 1e-4 * Math.Max(1, plain[0].Losses[row]));

        static void Limit(CausalLanguageModelTrainer.Options options, int most)
        {
            options.Batching = new() { MaximumTokensPerMicroBatch = 1000, PackRows = false };
            options.BatchSize = 8;
            options.Validation = null;
            options.Model = LanguageModel.Custom("tight", () => new ProbedNetwork((network, ids) =>
            {
                if (network.training && ids.numel() > most)
                    throw new ExternalException($"[enforce fail at alloc_cpu.cpp:75] . DefaultCPUAllocator: can't allocate memory: you tried to allocate {ids.numel()} bytes.");
            }, vocabulary: 257), contextLength: 64);
        }
    }

    // Interrupted on two ranks, again on three, and finished on one: checkpoints hold the whole state, whoever had which part of it.
    // Seen to fail with: the moments of the first shard alone.
    [TestMethod]
    public void A_run_resumes_with_another_number_of_ranks()
    {
        using TemporaryFolder folder = new();
        using var expected = Fit(Resumable(Tiny.Options(steps: 12), null), new MLContext(seed: 1));
        foreach ((int size, int last) in new[] { (2, 4), (3, 9), (1, 12) })
        {
            using CancellationTokenSource stop = new();
            Outcome[] outcomes = FitOnRanks(size, (_, options) =>
            {
                Resumable(options, folder.Path);
                (options.StopToken, options.Progress) = (stop.Token, new Progress(step => { if (step.Step == last) stop.Cancel(); }));
            });
            if (last < 12)
                continue;
            var context = new MLContext(seed: 1);
            float[] losses = [.. Score(context, expected, Rows(context, Texts)).Select(row => row.LossSum)];
            Assert.AreEqual(3, outcomes[0].Summary.Steps);
            for (int row = 0; row < losses.Length; row++)
                Assert.AreEqual(losses[row], outcomes[0].Losses[row], 1e-4 * losses[row]);
        }

        static CausalLanguageModelTrainer.Options Resumable(CausalLanguageModelTrainer.Options options, string? folder)
        {
            Validated(options).Validation = null;
            options.Checkpoints = folder is null ? null : new() { Folder = folder, Interval = 2 };
            return options;
        }
    }

    private static CausalLanguageModelTrainer.Options Validated(CausalLanguageModelTrainer.Options options)
    {
        // See RankLawTests: with a tiny epsilon AdamW makes full steps of a rounded zero.
        options.Optimizer = new AdamWOptions { Epsilon = 1e-6 };
        options.Validation = new() { Fraction = 0.3, Interval = 2, Patience = 3 };
        options.Batching = new() { MaximumTokensPerMicroBatch = 64 };
        return options;
    }

    private static CausalLanguageModelTransformer Fit(CausalLanguageModelTrainer.Options options, MLContext context, IDataView? rows = null) =>
        context.CausalLanguageModeling.Trainers.CausalLanguageModel(options).Fit(rows ?? Rows(context, Texts));

    private static Outcome[] FitOnRanks(int size, Action<int, CausalLanguageModelTrainer.Options> change, Func<MLContext>? create = null) => ThreadRankGroup.Run(size, ranks =>
    {
        MLContext context = create?.Invoke() ?? new MLContext(seed: 1);
        List<string> log = LogOf(context);
        using var model = Fit(OptionsOf(ranks, change), context);
        return new Outcome(model.Training!, [.. Score(context, model, Rows(context, Texts)).Select(row => row.LossSum)], log, model.Options.Seed);
    });

    private static Exception[] FailOnRanks(int size, Action<int, CausalLanguageModelTrainer.Options> change, Func<int, MLContext, IDataView>? rows = null) => ThreadRankGroup.Run(size, ranks =>
    {
        var context = new MLContext(seed: 1);
        var options = OptionsOf(ranks, change);
        IDataView data = rows?.Invoke(ranks.Rank, context) ?? WithSecondText(context);
        return Assert.Throws<Exception>(() => Fit(options, context, data));
    });

    // A second column of text, for a rank that reads the wrong one.
    private static IDataView WithSecondText(MLContext context)
    {
        IDataView rows = Rows(context, Texts);
        return context.Transforms.Text.NormalizeText(nameof(Row.Text) + "2", nameof(Row.Text)).Fit(rows).Transform(rows);
    }

    private static CausalLanguageModelTrainer.Options OptionsOf(ThreadRankGroup ranks, Action<int, CausalLanguageModelTrainer.Options> change)
    {
        var options = Validated(Tiny.Options(steps: 12));
        options.Ranks = RankOptions.Of(ranks);
        change(ranks.Rank, options);
        return options;
    }

    private sealed record Outcome(TrainingSummary Summary, float[] Losses, List<string> Log, int? Seed);
}
