using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.Models.Lora;
using MLNetExtension.Training;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Averaging;
using MLNetExtension.Training.Optimization;
using MLNetExtension.Training.Ranks;
using MLNetExtension.Training.Reports;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Ranks;

/// <summary>The law: how many ranks compute a batch changes nothing but rounding.</summary>
[TestClass]
public sealed class RankLawTests
{
    private const int Steps = 20;

    // The gradient of a key's bias is 0 but for rounding (it shifts all scores of a query alike), and with a tiny epsilon AdamW makes steps of full size even of that.
    private static readonly AdamWOptions AdamW = new() { Epsilon = 1e-6 };

    public static IEnumerable<string> Names => Cases.Select(what => what.Name);

    private static IEnumerable<Case> Cases =>
    [
        new("ragged rows with masked prompts"),
        new("the whole optimizer state on every rank") { ShardsOptimizer = false },
        new("batches of fewer rows than ranks") { Options = new() { BatchSize = 2, LearningRate = 1e-3 } },
        new("weighted rows, some without targets") { Examples = Weighted() },
        new("batches by target tokens, with weighted prompts") { Examples = Weighted(), Options = new() { BatchTargetTokens = 50, LearningRate = 1e-3, Loss = new() { PromptWeight = 0.25 } } },
        new("label smoothing, z-loss and no division") { Options = new() { BatchSize = 6, LearningRate = 1e-3, Loss = new() { LabelSmoothing = 0.1, ZLoss = 1e-3, Normalization = LossNormalization.Sum } } },
        new("dynamic fine-tuning and z-loss") { Options = new() { BatchSize = 6, LearningRate = 1e-3, Loss = new() { Kind = LossKind.Dft, ZLoss = 1e-3 } } },
        new("focal loss of weighted rows") { Examples = Weighted(), Options = new() { BatchSize = 6, LearningRate = 1e-3, Loss = new() { Kind = LossKind.Focal() } } },
        new("a teacher") { Examples = Weighted(), Teacher = Divergence.ReverseKl },
        new("experts balanced over the batch") { Experts = 3, Options = Balanced(RouterBalanceScope.Batch) },
        new("a batch of one row for experts, of which most ranks see none") { Experts = 3, Options = Balanced(RouterBalanceScope.Batch) with { BatchSize = 1 } },
        new("adapters") { Adapters = new() { Rank = 2 } },
        new("adapters that are DoRA from PiSSA, with the embedding") { Adapters = new() { Rank = 2, UseDora = true, Initialization = LoraInitialization.Pissa, TrainedModules = ["wte"] } },
        new("Muon, whose state is whole on every rank") { Optimizer = new MuonOptions { Epsilon = 1e-6 } },
        new("SGD, whose state is shared") { Optimizer = new SgdOptions() },
        new("groups of parameters") { Optimizer = AdamW with { Groups = [new() { Names = ["*mlp*"], LearningRateFactor = 3, WeightDecay = 0.3 }, new() { Names = ["wpe"], IsFrozen = true }] } },
        new("noise on embedded tokens") { Options = new() { BatchSize = 6, LearningRate = 1e-3, Regularization = new() { EmbeddingNoise = 5 } } },
        new("noise, with experts balanced over the batch") { Experts = 3, Options = Balanced(RouterBalanceScope.Batch) with { Regularization = new() { EmbeddingNoise = 5 } } },
        new("an exponential average of the weights") { Options = Averaged(WeightAveraging.Exponential(0.9)) },
        new("a uniform average of the weights, the whole optimizer state on every rank") { ShardsOptimizer = false, Options = Averaged(WeightAveraging.Uniform(0.5, 2)) },
        new("two workers a rank") { Options = new() { BatchSize = 6, LearningRate = 1e-3, Batching = new() { Workers = 2, Threads = 2, MaximumTokensPerMicroBatch = 30 } } },
    ];

    // Seen to fail with: each rank dividing by its own targets; the routers' counts of one rank; the clipped norm of one shard; shards that are stepped and not gathered.
    [TestMethod]
    [DynamicData(nameof(Names))]
    public void Any_number_of_ranks_gives_the_weights_of_one(string name)
    {
        Case what = Cases.Single(one => one.Name == name);
        foreach ((ScalarType dtype, int[] sizes, double tolerance) in new[] { (ScalarType.Float64, new[] { 2, 4 }, 1e-12), (ScalarType.Float32, [3], 1e-5) })
        {
            using var scope = NewDisposeScope();
            (Tensor expected, List<StepReport> alone) = Train(what, 1, dtype);
            using Gpt2Model before = Model(what, dtype);
            Assert.IsGreaterThan(1e-3, Ragged.RelativeError(expected, Weights(before)), "nothing was trained");
            foreach (int size in sizes)
            {
                (Tensor actual, List<StepReport> together) = Train(what, size, dtype);
                Assert.IsLessThan(tolerance, Ragged.RelativeError(actual, expected), $"{what}, {size} ranks, {dtype}");
                CollectionAssert.AreEqual(Figures(alone), Figures(together), $"{what}, {size} ranks");
                for (int step = 0; step < Steps; step++)
                    Assert.AreEqual(alone[step].Loss, together[step].Loss, 10 * tolerance * alone[step].Loss);
            }
        }
    }

    // The control: a normalization for which the split matters, whatever the loss.
    [TestMethod]
    [DataRow("crossEntropy")]
    [DataRow("dft")]
    [DataRow("focal")]
    [DataRow("teacher")]
    public void Means_of_micro_batches_depend_on_the_number_of_ranks(string loss)
    {
        using var scope = NewDisposeScope();
        LossKind kind = loss switch { "dft" => LossKind.Dft, "focal" => LossKind.Focal(), _ => LossKind.CrossEntropy };
        Case means = new("means")
        {
            Options = new() { BatchSize = 6, LearningRate = 1e-3, Loss = new() { Normalization = LossNormalization.MicroBatchMean, Kind = kind } },
            Teacher = loss == "teacher" ? Divergence.ForwardKl : null,
        };
        Assert.IsGreaterThan(1e-4, Ragged.RelativeError(Train(means, 3, ScalarType.Float64).Weights, Train(means, 1, ScalarType.Float64).Weights));
    }

    // Seen to fail with: shards that are stepped and not gathered.
    [TestMethod]
    public void All_ranks_end_with_the_same_bits()
    {
        byte[][] weights = ThreadRankGroup.Run(3, ranks =>
        {
            using var scope = NewDisposeScope();
            Case what = new("ragged") { Options = new() { BatchSize = 6, Batching = new() { Precision = ComputePrecision.BFloat16 } } };
            using Gpt2Model model = Model(what, ScalarType.Float32);
            TrainingLoop.Run(Run(model, what, ranks));
            return Weights(model).to(ScalarType.Float32).bytes.ToArray();
        });
        CollectionAssert.AreEqual(weights[0], weights[1]);
        CollectionAssert.AreEqual(weights[0], weights[2]);
    }

    // A row that every rank computed would change no weight: sums and counts grow alike. Seen to fail with: three times the micro-batches.
    [TestMethod]
    public void Each_row_is_computed_by_one_rank()
    {
        Case what = new("rows") { Options = new() { BatchSize = 6, LearningRate = 1e-3, Batching = new() { MaximumTokensPerMicroBatch = 1 } } };
        using var scope = NewDisposeScope();
        (_, List<StepReport> steps) = Train(what, 3, ScalarType.Float32);
        foreach (StepReport step in steps)
            Assert.AreEqual(step.Rows, step.MicroBatches);
    }

    // Rank 1 begins with other weights, as if its file were another. Seen to fail without the broadcast.
    [TestMethod]
    public void Every_rank_begins_with_the_weights_of_the_first()
    {
        using var scope = NewDisposeScope();
        Case what = new("ragged");
        Tensor[] weights = ThreadRankGroup.Run(2, ranks =>
        {
            using Gpt2Model model = Ragged.Model(seed: 1 + ranks.Rank, layers: 1);
            TrainingLoop.Run(Run(model, what, ranks));
            return Weights(model).DetachFromDisposeScope();
        });
        Assert.IsLessThan(1e-12, Ragged.RelativeError(weights[1], Train(what, 1, ScalarType.Float64).Weights));
        foreach (Tensor tensor in weights)
            tensor.Dispose();
    }

    // What differs between ranks is noticed at the end at the latest, on all of them.
    [TestMethod]
    public void Weights_that_come_apart_are_an_error_on_every_rank()
    {
        Case what = new("ragged");
        string[] errors = ThreadRankGroup.Run(3, ranks =>
        {
            using var scope = NewDisposeScope();
            using Tensor vector = ones(3_000_000);
            ranks.RequireSame(vector, "The weights");
            if (ranks.Rank == 2)
                vector[2_999_999] = 1 + 1e-7;
            return Assert.ThrowsExactly<InvalidOperationException>(() => ranks.RequireSame(vector, "The weights")).Message;
        });
        foreach (string error in errors)
            Assert.AreEqual("The weights differ between rank 0 and rank 2 of 3: the ranks no longer train the same model.", error);
    }

    [TestMethod]
    public void The_state_of_the_optimizer_takes_its_share_of_memory()
    {
        long[] elements = ThreadRankGroup.Run(4, ranks =>
        {
            using Gpt2Model model = Ragged.Model();
            using FlatParameters parameters = new(model.named_parameters());
            using FlatOptimizer optimizer = new(parameters, AdamW, ranks, plan: null);
            return optimizer.State.Sum(part => part.Tensor.numel());
        });
        using Gpt2Model whole = Ragged.Model();
        long trained = whole.parameters().Sum(p => p.numel());
        Assert.AreEqual(2 * trained, elements.Sum());
        Assert.IsTrue(elements.All(count => count <= 2 * ((trained + 3) / 4)));
    }

    private static (Tensor Weights, List<StepReport> Steps) Train(Case what, int size, ScalarType dtype)
    {
        List<StepReport> steps = [];
        using Gpt2Model? teacher = what.Teacher is null ? null : TeacherOf(dtype);
        TrainingOptions options = teacher is null ? what.Options : what.Options with { Distillation = new(teacher, what.Teacher!, Share: 0.5, Temperature: 2) };
        Tensor[] weights = ThreadRankGroup.Run(size, ranks =>
        {
            using var scope = NewDisposeScope();
            using Gpt2Model model = Model(what, dtype);
            TrainingLoop.Run(Run(model, what with { Options = options }, ranks) with { OnStep = steps.Add });
            return Weights(model).DetachFromDisposeScope();
        });
        foreach (Tensor other in weights[1..])
        {
            CollectionAssert.AreEqual(weights[0].bytes.ToArray(), other.bytes.ToArray());
            other.Dispose();
        }
        Assert.HasCount(Steps, steps, "one rank reports");
        return (weights[0], steps);
    }

    private static TrainingRun Run(Gpt2Model model, Case what, IRankGroup ranks) =>
        new(model, what.Examples, what.Options with { MaximumSteps = Steps, Optimizer = what.Optimizer }, Seed: 3) { Ranks = new RankSetup(ranks, what.ShardsOptimizer) };

    // One for all ranks of this process, which only read it.
    private static Gpt2Model TeacherOf(ScalarType dtype)
    {
        Gpt2Model model = Ragged.Model(dtype, seed: 9, dropout: 0.5, layers: 1);
        model.eval();
        return model;
    }

    private static Gpt2Model Model(Case what, ScalarType dtype)
    {
        // One layer shows what ranks do with a gradient; experts are counted layer by layer.
        Gpt2Model model = Ragged.Model(dtype, experts: what.Experts, layers: what.Experts > 0 ? 2 : 1);
        if (what.Adapters is not null)
            Adapted.Attach(model, what.Adapters);
        return model;
    }

    private static Tensor Weights(Gpt2Model model) => cat([.. model.parameters().Where(p => p.requires_grad).Select(p => p.detach().flatten())]).to(ScalarType.Float64);

    private static (int, int, long, long, double)[] Figures(IEnumerable<StepReport> steps) => [.. steps.Select(step => (step.Step, step.Rows, step.TargetTokens, step.TotalTargetTokens, Math.Round(step.TargetWeight, 6)))];

    private static TrainingOptions Balanced(RouterBalanceScope scope) =>
        new() { BatchSize = 6, LearningRate = 1e-3, Loss = new() { RouterBalanceScope = scope, RouterBalanceCoefficient = 0.5 } };

    private static TrainingOptions Averaged(WeightAveraging averaging) => new() { BatchSize = 6, LearningRate = 1e-3, Regularization = new() { Averaging = averaging } };

    private static TokenExample[] Weighted()
    {
        Random random = new(11);
        return [.. Enumerable.Range(0, 20).Select(row => Ragged.Example(random, random.Next(1, 25), row, weight: row % 5 == 0 ? 0 : random.NextDouble() * 3)), Ragged.WithoutTargets(9)];
    }

    /// <summary>What is trained, in each of the ways in which ranks could weigh rows unequally.</summary>
    private sealed record Case(string Name)
    {
        public TrainingOptions Options { get; init; } = new() { BatchSize = 6, LearningRate = 1e-3 };

        public TokenExample[] Examples { get; init; } = Ragged.Examples(26);

        public OptimizerOptions Optimizer { get; init; } = AdamW;

        public int Experts { get; init; }

        public LoraOptions? Adapters { get; init; }

        public Divergence? Teacher { get; init; }

        public bool ShardsOptimizer { get; init; } = true;

        public override string ToString() => Name;
    }
}
