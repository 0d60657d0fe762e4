using MLNetExtension.Training.Optimization;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Layers;
using MLNetExtension.Training;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Reports;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models.Layers;

/// <summary>Where dropout falls, and that no two places, micro-batches or steps share its draws.</summary>
[TestClass]
public sealed class DropoutTests
{
    // With a branch's last layer giving ones, what the branch adds shows its mask. Seen to fail with: dropout left out of one branch.
    [TestMethod]
    [DataRow("c_proj")]
    [DataRow("mlp.c_proj")]
    public void Both_branches_of_a_block_are_dropped(string branch)
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Model(dropout: 0.5);
        using (no_grad())
        {
            foreach (string name in new[] { "c_proj", "mlp.c_proj" })
            {
                Parameter(name + ".weight").zero_();
                Parameter(name + ".bias").fill_(name == branch ? 1 : 0);
            }
        }
        Tensor input = zeros(1, 20, 12, dtype: float64);
        model.Blocks[0].ReseedDropout(3);
        double[] added = model.Blocks[0].call(input, SequenceLayout.Full).data<double>().ToArray();
        CollectionAssert.AreEquivalent(new double[] { 0, 2 }, added.Distinct().ToArray());

        Parameter Parameter(string name) => model.Blocks[0].named_parameters().Single(p => p.name == name).parameter;
    }

    // Seen to fail with: dropout left out of the embedding; the embedding's seed ignored.
    [TestMethod]
    public void The_embedding_is_dropped_and_its_seed_decides_where()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Model(dropout: 0.5);
        Tensor ids = arange(0, 20, dtype: int64).view(1, 20);
        double[] first = Mask(1), again = Mask(1), other = Mask(2);

        CollectionAssert.Contains(first, 0.0);
        CollectionAssert.AreEqual(first, again);
        CollectionAssert.AreNotEqual(first, other);

        double[] Mask(long seed)
        {
            model.ReseedDropout(seed);
            return model.Embed(ids, SequenceLayout.Full).ne(0).to(float64).data<double>().ToArray();
        }
    }

    [TestMethod]
    public void Attention_dropout_of_GPT2_acts_in_training_only_and_repeats_with_its_seed()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = WithAttentionDropout(dropout: 0);
        Tensor input = randn(1, 12, 12, dtype: float64);
        Tensor first = Seeded(1);

        Assert.AreEqual(0, (first - Seeded(1)).abs().max().ToDouble());
        Assert.AreNotEqual(0, (first - Seeded(2)).abs().max().ToDouble());
        model.eval();
        Assert.AreEqual(0, (Seeded(1) - Seeded(2)).abs().max().ToDouble());

        Tensor Seeded(long seed)
        {
            model.Blocks[0].ReseedDropout(seed);
            return model.Blocks[0].call(input, SequenceLayout.Full);
        }
    }

    // A single position attends to itself alone: with values and a bias of 1, a coordinate is 6 where its head's probability and itself are kept, 2 where the probability is dropped, and 0 where itself is.
    [TestMethod]
    public void Attention_and_the_branch_around_it_draw_different_numbers()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using Gpt2Model model = WithAttentionDropout(dropout: 0.5);
        foreach ((string name, Parameter parameter) in model.Blocks[0].named_parameters().Where(p => p.name.StartsWith('c') || p.name.StartsWith("mlp", StringComparison.Ordinal)))
            parameter.fill_(name is "c_attn.bias" or "c_proj.bias" ? 1 : 0);
        model.Blocks[0].named_parameters().Single(p => p.name == "c_proj.weight").parameter.copy_(eye(12, dtype: float64));

        bool[] agree = [.. Enumerable.Range(0, 20).Select(Agrees)];
        CollectionAssert.IsSubsetOf(new[] { true, false }, agree);

        // Whether the first draw of the one says what that of the other does.
        bool Agrees(int seed)
        {
            model.Blocks[0].ReseedDropout(seed);
            double[] added = model.Blocks[0].call(zeros(1, 1, 12, dtype: float64), SequenceLayout.Full).data<double>().ToArray();
            return added[..6].Max() > 2 == added[0] > 0;
        }
    }

    // What a GPU does, which has no generator of its own here; computed on the CPU.
    [TestMethod]
    public void A_mask_that_is_computed_zeroes_its_share_follows_the_seed_and_goes_on_where_it_stopped()
    {
        using var scope = NewDisposeScope();
        Tensor Mask(long seed, long before = 0, long count = 40_000) => SeededDropout.ComputeKept(zeros(count / 10, 10), 0.3, seed, before);
        Tensor mask = Mask(-8);

        Assert.AreEqual(0.7f, mask.mean().item<float>(), 0.01f);    // four standard errors
        Assert.IsLessThan(0.015f, (mask.flatten().narrow(0, 1, 39_999) * mask.flatten().narrow(0, 0, 39_999)).mean().item<float>() - 0.49f);
        Assert.IsTrue(mask.allclose(Mask(-8)));
        Assert.IsFalse(mask.allclose(Mask(-7)));
        Assert.IsTrue(mask.narrow(0, 1000, 500).allclose(Mask(-8, before: 10_000, count: 5000)));
    }

    // Seen to fail with: one seed for all blocks; the first block on the embedding's seed; one seed for all micro-batches.
    [TestMethod]
    public void Every_block_and_every_micro_batch_draws_from_a_seed_of_its_own()
    {
        using var scope = NewDisposeScope();
        using SeedsSeen model = new(Model(dropout: 0));
        using BatchGradient gradient = new(model);
        gradient.Accumulate(Ragged.Split(Ragged.Examples(5), 1), dropoutSeed: 77);

        Assert.HasCount(5 * 3, model.Seeds);
        CollectionAssert.AllItemsAreUnique(model.Seeds);
    }

    // Seen to fail with: one dropout seed for all steps.
    [TestMethod]
    public void Every_step_drops_something_else()
    {
        List<StepReport> steps = [];
        using Gpt2Model model = Model(dropout: 0.3);
        model.eval();
        TrainingLoop.Run(
            model, Ragged.Examples(1, seed: 3), new TrainingOptions { MaximumSteps = 4, LearningRate = 1e-300, Optimizer = new AdamWOptions { WeightDecay = 0 } }, seed: 1, steps.Add);
        CollectionAssert.AllItemsAreUnique(steps.Select(step => step.Loss).ToArray());
    }

    private static Gpt2Model WithAttentionDropout(double dropout)
    {
        Gpt2Model model = new(Ragged.Model().Configuration with { Dropout = dropout, AttentionDropout = 0.5 }, seed: 1);
        model.to(float64);
        model.train();
        return model;
    }

    private static Gpt2Model Model(double dropout)
    {
        Gpt2Model model = Ragged.Model(dropout: dropout);
        model.train();
        return model;
    }

    private sealed class SeedsSeen : CausalLanguageModel
    {
        private readonly Gpt2Model _inner;

        public SeedsSeen(Gpt2Model inner)
            : base(nameof(SeedsSeen))
        {
            _inner = inner;
            Blocks = [.. inner.Blocks.Select(block => new SeededBlock(block, Seeds))];
            RegisterComponents();
        }

        public List<long> Seeds { get; } = [];

        public override int VocabularySize => _inner.VocabularySize;

        public override int ContextLength => _inner.ContextLength;

        public override Tensor HeadWeight => _inner.HeadWeight;

        public override IReadOnlyList<TransformerBlock> Blocks { get; }

        public override Tensor TokenEmbedding => _inner.TokenEmbedding;

        public override Tensor AddPositions(Tensor tokens, SequenceLayout layout) => _inner.AddPositions(tokens, layout);

        public override Tensor Normalize(Tensor hidden) => _inner.Normalize(hidden);

        public override void ReseedDropout(long seed) => Seeds.Add(seed);
    }

    private sealed class SeededBlock(TransformerBlock inner, List<long> seeds) : TransformerBlock(nameof(SeededBlock))
    {
        public override void ReseedDropout(long seed) => seeds.Add(seed);

        public override Tensor forward(Tensor input, SequenceLayout layout) => inner.call(input, layout);
    }
}
