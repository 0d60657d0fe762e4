using System.Reflection;
using MLNetExtension.Data;
using MLNetExtension.Models;
using MLNetExtension.Models.Custom;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.Documentation;
using MLNetExtension.Training.Accumulation;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models.Custom;

/// <summary>The transformer of the documentation, made of public members alone, keeps the law with every part of it: chunks of the head, packing, recomputation, workers, adapters, cache.</summary>
[TestClass]
public sealed class OwnTransformerTests
{
    private static readonly Lazy<Assembly> Page = new(() => ProgramCompiler.Compile("docs/own-transformer.md", MarkdownPage.Of("docs/own-transformer.md").Programs.Single()));

    [TestMethod]
    public void Any_split_gives_the_gradient_that_autograd_finds_for_the_full_batch()
    {
        using var scope = NewDisposeScope();
        TokenExample[] batch = Ragged.Examples(rows: 6);
        Tensor expected = FullBatch(batch);
        foreach (int rows in new[] { 1, 2, 6 })
        {
            foreach (bool pack in new[] { false, true })
            {
                foreach (bool recompute in new[] { false, true })
                    Assert.IsLessThan(1e-12, Ragged.RelativeError(Accumulate(batch, rows, new GradientSettings { Pack = pack, Recompute = recompute }), expected), $"{rows} rows, packed {pack}, recomputed {recompute}");
            }
        }
        Assert.IsLessThan(1e-12, Ragged.RelativeError(Accumulate(batch, 2, new GradientSettings(), workers: 3), expected), "three workers");
        Assert.IsGreaterThan(1e-3, Ragged.RelativeError(Accumulate(batch, 1, new GradientSettings { Normalization = LossNormalization.MicroBatchMean }), expected), "the mean of means");
    }

    // Seen to fail with: a block that does not reseed its dropout.
    [TestMethod]
    public void Dropout_of_blocks_and_adapters_is_the_same_recomputed_and_on_any_number_of_workers()
    {
        using var scope = NewDisposeScope();
        TokenExample[] batch = Ragged.Examples(rows: 6);
        foreach (LoraOptions? adapters in new[] { null, new LoraOptions { Rank = 2, Dropout = 0.4, TargetModules = ["qkv", "down"] } })
        {
            Tensor one = Accumulate(batch, 2, new GradientSettings(), dropout: 0.3, adapters: adapters);
            Assert.IsLessThan(1e-12, Ragged.RelativeError(Accumulate(batch, 2, new GradientSettings { Recompute = true }, dropout: 0.3, adapters: adapters), one), "recomputed");
            Assert.IsLessThan(1e-12, Ragged.RelativeError(Accumulate(batch, 2, new GradientSettings(), workers: 3, dropout: 0.3, adapters: adapters), one), "three workers");
            Assert.IsGreaterThan(1e-3, Ragged.RelativeError(Accumulate(batch, 2, new GradientSettings(), dropout: 0, adapters: adapters is null ? null : adapters with { Dropout = 0 }), one), "dropout matters");
        }
    }

    [TestMethod]
    public void A_cache_gives_the_hidden_states_of_the_whole_rows()
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = Create();
        model.eval();
        Tensor ids = tensor([.. Enumerable.Range(0, 24).Select(i => (long)(i * 7 % Ragged.Vocabulary))], [2, 12]);
        using KeyValueCache cache = new();
        Tensor whole = model.ComputeHidden(ids);
        Tensor cached = cat([model.ComputeHidden(ids.narrow(1, 0, 5), cache), model.ComputeHidden(ids.narrow(1, 5, 1), cache), model.ComputeHidden(ids.narrow(1, 6, 6), cache)], 1);
        Assert.IsLessThan(1e-12, Ragged.RelativeError(cached, whole));
    }

    [TestMethod]
    public void A_weight_that_is_another_object_on_every_call_is_refused_and_a_context_that_is_too_short()
    {
        NetworkFactory factory = new("mine", () => new Wrapping(), new LetterTokenizer(), 24);
        Assert.Contains("'mine' must return one of its parameters as TokenEmbedding", Assert.ThrowsExactly<InvalidOperationException>(() => factory.Create(seed: 1)).Message);
        Assert.Contains("has a context of 24 tokens, but Model.ContextLength is 25", Assert.ThrowsExactly<InvalidOperationException>(() => Create(contextLength: 25)).Message);
    }

    [TestMethod]
    public void Dropout_that_cannot_be_restarted_is_refused()
    {
        NetworkFactory factory = new("mine", () => new Wrapping { Dropout = 0.5, IsStable = true }, new LetterTokenizer(), 24);
        Assert.Contains("draws from torch's global random numbers in training", Assert.ThrowsExactly<InvalidOperationException>(() => factory.Create(seed: 1)).Message);
        new NetworkFactory("mine", () => new Wrapping { IsStable = true }, new LetterTokenizer(), 24).Create(seed: 1).Dispose();
    }

    private static CausalLanguageModel Create(double dropout = 0, int contextLength = 24)
    {
        Type type = Page.Value.GetTypes().Single(type => type.Name == "SmallTransformer");
        NetworkFactory factory = new("small", Make, new LetterTokenizer(), contextLength);
        return factory.Create(seed: 3);

        nn.Module<Tensor, Tensor> Make()
        {
            var model = (CausalLanguageModel)Activator.CreateInstance(type, Ragged.Vocabulary, 24, 2, 2, 12, dropout)!;
            model.to(ScalarType.Float64);
            using (no_grad())
            {
                foreach (Parameter parameter in model.parameters())
                    parameter.mul_(parameter.dim() >= 2 ? 4 : 1);
            }
            return model;
        }
    }

    private static Tensor Accumulate(IReadOnlyList<TokenExample> batch, int rows, GradientSettings settings, int workers = 1, double dropout = 0, LoraOptions? adapters = null)
    {
        using CausalLanguageModel model = Create(dropout);
        model.train();
        if (adapters is not null)
        {
            using var untracked = no_grad();
            foreach (var pair in model.Custom!.AttachAdapters(adapters, seed: 4).Attached)
                pair.Adapter.B.fill_(0.3);
        }
        using BatchGradient gradient = new(model, settings);
        gradient.Accumulate(Ragged.Split(batch, rows), workers, dropoutSeed: 8);
        return gradient.Parameters.Gradients.clone();
    }

    private static Tensor FullBatch(IReadOnlyList<TokenExample> batch)
    {
        using CausalLanguageModel model = Create();
        using FlatParameters parameters = new(model.named_parameters());
        (Tensor ids, Tensor targets) = Ragged.Pad(batch);
        nn.functional.cross_entropy(model.call(ids).flatten(0, 1), targets.flatten(), ignore_index: TokenExample.IgnoredTarget).backward();
        return parameters.Gradients.clone();
    }

    // Its embedding's weight is a new object on every call, as that of nn.Embedding is, unless it is stable.
    private sealed class Wrapping : CausalLanguageModel
    {
        private readonly Parameter weight = nn.Parameter(rand(Ragged.Vocabulary, 4));

        public Wrapping()
            : base(nameof(Wrapping)) => RegisterComponents();

        public bool IsStable { get; init; }

        public double Dropout { get; init; }

        public override int VocabularySize => Ragged.Vocabulary;

        public override int ContextLength => 24;

        public override Tensor HeadWeight => weight;

        public override IReadOnlyList<TransformerBlock> Blocks => [];

        public override Tensor TokenEmbedding => IsStable ? weight : weight.alias();

        public override Tensor AddPositions(Tensor tokens, SequenceLayout layout) => tokens;

        public override Tensor Normalize(Tensor hidden) => nn.functional.dropout(hidden, Dropout, training);

        public override void ReseedDropout(long seed)
        {
            // It has none.
        }
    }
}
