using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.Losses;
using MLNetExtension.Models;
using MLNetExtension.Models.Custom;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.Models.Lora;
using MLNetExtension.Training.Accumulation;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models.Custom;

/// <summary>A module from outside this library is trained by the same code, under the same law.</summary>
[TestClass]
public sealed class CustomLanguageModelTests
{
    // Seen to fail with logits of the wrong rows where rows are packed, and with the logits' gradient added twice.
    [TestMethod]
    [DataRow(0.2, 1)]
    [DataRow(0.2, 3, DisplayName = "three workers")]
    [DataRow(0.0, 1, DisplayName = "every position is a target, so that the loss reads the module's own logits")]
    public void Any_split_of_a_batch_gives_the_full_batch_gradient(double masked, int workers)
    {
        using var scope = NewDisposeScope();
        TokenExample[] batch = [.. Enumerable.Range(0, 6).Select(row => Ragged.Example(new Random(row), 1 + 4 * row, row, masked))];
        Tensor expected = FullBatch(batch);
        foreach (int rows in new[] { 1, 2, 6 })
        {
            foreach (bool pack in new[] { false, true })
            {
                foreach (ITokenLoss? loss in new[] { null, CustomTokenLoss.OfLogits(CrossEntropy) })
                {
                    using CausalLanguageModel model = Create();
                    using BatchGradient gradient = new(model, new GradientSettings { Loss = loss ?? new LinearCrossEntropy(), Recompute = rows == 2, Pack = pack });
                    gradient.Accumulate(Ragged.Split(batch, rows), workers);
                    Assert.IsLessThan(1e-12, Ragged.RelativeError(gradient.Parameters.Gradients, expected), $"{rows} rows, packed {pack}");
                }
            }
        }
    }

    [TestMethod]
    public void The_mean_of_means_is_another_gradient()
    {
        using var scope = NewDisposeScope();
        TokenExample[] batch = Ragged.Examples(rows: 6);
        using CausalLanguageModel model = Create();
        using BatchGradient gradient = new(model, new GradientSettings { Normalization = LossNormalization.MicroBatchMean });
        gradient.Accumulate(Ragged.Split(batch, 1));
        Assert.IsGreaterThan(1e-3, Ragged.RelativeError(gradient.Parameters.Gradients, FullBatch(batch)));
    }

    // The adapters' gradient, against autograd over the module whose weights are sums W + s B A. Seen to fail with: an adapter that no hook adds.
    [TestMethod]
    [DataRow("LoRA")]
    [DataRow("DoRA, PiSSA")]
    public void Any_split_gives_the_gradient_of_adapters_too(string kind)
    {
        using var scope = NewDisposeScope();
        TokenExample[] batch = Ragged.Examples(rows: 6);
        Tensor whole = Accumulate(rows: 6, workers: 1, dropout: 0);
        Assert.IsGreaterThan(0, whole.norm().ToDouble());
        foreach ((int rows, int workers) in new[] { (1, 1), (2, 2), (3, 1) })
            Assert.IsLessThan(1e-12, Ragged.RelativeError(Accumulate(rows, workers, dropout: 0), whole), $"{rows} rows, {workers} workers");
        Assert.IsLessThan(1e-12, Ragged.RelativeError(Accumulate(2, 2, dropout: 0.5), Accumulate(2, 1, dropout: 0.5)), "dropout of adapters, by workers");
        Assert.IsGreaterThan(1e-3, Ragged.RelativeError(Accumulate(2, 1, dropout: 0.5), whole), "dropout matters");

        Tensor Accumulate(int rows, int workers, double dropout)
        {
            using CausalLanguageModel model = Create();
            model.train();
            LoraAdapters adapters = model.Custom!.AttachAdapters(Adapted.Options(kind) with { Rank = 2, TargetModules = ["mixing", "head"], Dropout = dropout }, seed: 4);
            using (no_grad())
            {
                foreach (var pair in adapters.Attached)
                    pair.Adapter.B.fill_(0.3);
            }
            using BatchGradient gradient = new(model, new GradientSettings());
            gradient.Accumulate(Ragged.Split(batch, rows), workers, dropoutSeed: 8);
            return gradient.Parameters.Gradients.clone();
        }
    }

    [TestMethod]
    [DataRow("LoRA")]
    [DataRow("DoRA")]
    [DataRow("DoRA, PiSSA")]
    public void Adapters_compute_what_their_merged_weights_compute(string kind)
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = Create();
        model.eval();
        Tensor ids = arange(12, dtype: int64).unsqueeze(0), before = model.call(ids);
        LoraAdapters adapters = model.Custom!.AttachAdapters(Adapted.Options(kind) with { Rank = 2 }, seed: 4);
        CollectionAssert.AreEquivalent(new[] { "mixing", "head" }, adapters.ModuleNames.ToArray());
        Assert.IsLessThan(1e-12, Ragged.RelativeError(model.call(ids), before), "B is zero");
        using (no_grad())
        {
            foreach (var pair in adapters.Attached)
                pair.Adapter.B.fill_(0.3);
        }
        Tensor adapted = model.call(ids);
        Assert.IsGreaterThan(1e-3, Ragged.RelativeError(adapted, before));

        adapters.Merge();

        Assert.IsLessThan(1e-12, Ragged.RelativeError(model.call(ids), adapted));
        Assert.IsFalse(model.named_parameters().Any(pair => pair.name.Contains("lora")));
        Assert.IsTrue(model.parameters().All(parameter => parameter.requires_grad));
    }

    [TestMethod]
    public void A_disposed_model_leaves_no_tensors_behind_and_neither_do_its_workers()
    {
        Use();
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Use();
        Assert.AreEqual(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        CausalLanguageModel disposed = Create();
        LoraAdapters adapters = disposed.Custom!.AttachAdapters(new LoraOptions(), seed: 1);
        Assert.IsFalse(adapters.Attached.Any(pair => pair.Adapter.A.IsInvalid));
        disposed.Dispose();
        Assert.IsTrue(adapters.Attached.All(pair => pair.Adapter.A.IsInvalid));

        static void Use()
        {
            using CausalLanguageModel model = Create();
            LoraAdapters adapters = model.Custom!.AttachAdapters(Adapted.Options("DoRA, PiSSA") with { Rank = 2, Dropout = 0.1 }, seed: 1);
            adapters.FixNorms();
            using CausalLanguageModel replica = model.Replicate();
            model.train();
            using var scope = NewDisposeScope();
            replica.call(model.call(zeros(1, 3, dtype: int64)).argmax(-1));
        }
    }

    [TestMethod]
    public void A_layer_whose_hooks_never_run_is_refused_by_name()
    {
        using CausalLanguageModel model = Create(() => new Recurrent { PassesHooksBy = true });
        Assert.Contains("does not run its layer 'mixing' by call()", Assert.ThrowsExactly<InvalidOperationException>(() => model.Custom!.AttachAdapters(new LoraOptions(), seed: 1)).Message);
        using CausalLanguageModel other = Create(() => new Recurrent { PassesHooksBy = true });
        CollectionAssert.AreEqual(new[] { "head" }, other.Custom!.AttachAdapters(new LoraOptions { TargetModules = ["head"] }, seed: 1).ModuleNames.ToArray());
        using CausalLanguageModel third = Create();
        Assert.Contains("'query' names no linear layer", Assert.ThrowsExactly<ArgumentException>(() => third.Custom!.AttachAdapters(new LoraOptions { TargetModules = ["query"] }, seed: 1)).Message);
    }

    // Seen to fail with: masks of the global generator as it happens to stand.
    [TestMethod]
    [DoNotParallelize]
    public void Dropout_of_the_module_follows_the_seed_on_any_number_of_workers_and_the_caller_keeps_its_random_numbers()
    {
        using var scope = NewDisposeScope();
        IReadOnlyList<IReadOnlyList<TokenExample>> split = Ragged.Split(Ragged.Examples(rows: 6), 2);
        random.manual_seed(42);
        byte[] before = random.get_rng_state().bytes.ToArray();

        Tensor one = Accumulate(seed: 5, workers: 1);
        foreach (bool pack in new[] { false, true })
        {
            Tensor expected = Accumulate(5, 1, pack);
            CollectionAssert.AreEqual(expected.bytes.ToArray(), Accumulate(5, 1, pack).bytes.ToArray());
            Assert.IsLessThan(1e-12, Ragged.RelativeError(Accumulate(5, 3, pack), expected), "three workers");
        }
        Assert.IsGreaterThan(1e-3, Ragged.RelativeError(Accumulate(6, 1), one), "another seed");
        Assert.IsGreaterThan(1e-3, Ragged.RelativeError(one, FullBatch([.. split.SelectMany(rows => rows)])), "dropout matters");
        CollectionAssert.AreEqual(before, random.get_rng_state().bytes.ToArray());

        Tensor Accumulate(long seed, int workers, bool pack = false)
        {
            using CausalLanguageModel model = Create(() => new Recurrent(dropout: 0.5));
            model.train();
            using BatchGradient gradient = new(model, new GradientSettings { Pack = pack });
            gradient.Accumulate(split, workers, dropoutSeed: seed);
            return gradient.Parameters.Gradients.clone();
        }
    }

    [TestMethod]
    public void It_is_scored_like_any_other()
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = Create();
        model.eval();
        TokenExample row = Ragged.Examples(rows: 1, seed: 3, shortest: 12)[0];
        (Tensor ids, Tensor targets) = Ragged.Pad([row]);

        double loss = new RowScorer(model).Score([row])[0].LossSum;

        Tensor expected = nn.functional.cross_entropy(model.call(ids).flatten(0, 1), targets.flatten(), ignore_index: -100, reduction: nn.Reduction.Sum);
        Assert.AreEqual(expected.ToDouble(), loss, 1e-9);
        Assert.AreEqual(Ragged.Vocabulary, model.VocabularySize);
        Assert.AreEqual(24, model.ContextLength);
    }

    [TestMethod]
    public void What_a_factory_must_not_return_is_refused_in_one_sentence()
    {
        Refused(() => null!, "The factory of the custom model 'mine' returned null.");
        Refused(() => new Flat(), "returns Float32 [1, 3] for ids [1, 1], expected floating-point logits [1, 1, V]");
        Refused(() => new Recurrent(vocabulary: 22), "The custom model 'mine' has a vocabulary of 22 ids, but its tokenizer needs 23.");
        Refused(() => new Recurrent(), null);
        using Recurrent shared = new();
        NetworkFactory factory = new("mine", () => shared, new LetterTokenizer(), 24);
        using CausalLanguageModel first = factory.Create(seed: 1);
        Assert.Contains("returned a module that it had returned before", Assert.ThrowsExactly<InvalidOperationException>(() => factory.Create(seed: 1)).Message);

        static void Refused(Func<nn.Module<Tensor, Tensor>> make, string? expected)
        {
            NetworkFactory factory = new("mine", make, new LetterTokenizer(), 24);
            if (expected is null)
                factory.Create(seed: 1).Dispose();
            else
                Assert.Contains(expected, Assert.ThrowsExactly<InvalidOperationException>(() => factory.Create(seed: 1)).Message);
        }
    }

    [TestMethod]
    public void What_needs_parts_says_that_there_are_none()
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = Create();
        using KeyValueCache cache = new();
        Assert.Contains("keeps no keys and values", Assert.ThrowsExactly<NotSupportedException>(() => model.ComputeHidden(zeros(1, 1, dtype: int64), cache)).Message);
        using BatchGradient gradient = new(model, new GradientSettings { Loss = CustomTokenLoss.OfHidden((hidden, _, _) => new LossSum(hidden.sum(), 1)) });
        Assert.Contains("this one gives logits", Assert.ThrowsExactly<NotSupportedException>(() => gradient.Accumulate(Ragged.Split(Ragged.Examples(), 8))).Message);
    }

    private static CausalLanguageModel Create(Func<nn.Module<Tensor, Tensor>>? make = null) =>
        new NetworkFactory("mine", make ?? (() => new Recurrent()), new LetterTokenizer(), ContextLength: 24).Create(seed: 9);

    private static LossSum CrossEntropy(Tensor logits, Tensor targets, Tensor? weights) =>
        new(nn.functional.cross_entropy(logits, targets, reduction: nn.Reduction.Sum).to(float64), targets.shape[0]);

    private static Tensor FullBatch(IReadOnlyList<TokenExample> batch)
    {
        using CausalLanguageModel model = Create();
        nn.Module<Tensor, Tensor> module = (Recurrent)model.Custom!.Module;
        using FlatParameters parameters = new(module.named_parameters());
        (Tensor ids, Tensor targets) = Ragged.Pad(batch);
        nn.functional.cross_entropy(module.call(ids).flatten(0, 1), targets.flatten(), ignore_index: TokenExample.IgnoredTarget).backward();
        return parameters.Gradients.clone();
    }

    private sealed class Flat : nn.Module<Tensor, Tensor>
    {
        private readonly TorchSharp.Modules.Parameter weight;

        public Flat()
            : base(nameof(Flat))
        {
            weight = nn.Parameter(ones(1, 3));
            RegisterComponents();
        }

        public override Tensor forward(Tensor ids) => weight * 2;
    }
}
