using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.Losses;
using MLNetExtension.Models;
using MLNetExtension.Training.Accumulation;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models.Custom;

/// <summary>A module from outside this library is trained by the same code, under the same law.</summary>
[TestClass]
public sealed class FromModuleTests
{
    // Seen to fail with logits of the wrong rows where rows are packed, and with the logits' gradient added twice.
    [TestMethod]
    [DataRow(0.2)]
    [DataRow(0.0, DisplayName = "every position is a target, so that the loss reads the module's own logits")]
    public void Any_split_of_a_batch_gives_the_full_batch_gradient(double masked)
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
                    using CausalLanguageModel model = CausalLanguageModel.FromModule(new Recurrent());
                    using BatchGradient gradient = new(model, new GradientSettings { Loss = loss ?? new LinearCrossEntropy(), Recompute = rows == 2, Pack = pack });
                    gradient.Accumulate(Ragged.Split(batch, rows));
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
        using CausalLanguageModel model = CausalLanguageModel.FromModule(new Recurrent());
        using BatchGradient gradient = new(model, new GradientSettings { Normalization = LossNormalization.MicroBatchMean });
        gradient.Accumulate(Ragged.Split(batch, 1));
        Assert.IsGreaterThan(1e-3, Ragged.RelativeError(gradient.Parameters.Gradients, FullBatch(batch)));
    }

    [TestMethod]
    public void It_is_scored_like_any_other()
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = CausalLanguageModel.FromModule(new Recurrent(), contextLength: 24);
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
    public void What_gives_no_logits_or_has_no_parts_says_so()
    {
        using var scope = NewDisposeScope();
        Assert.Contains("gives Float32 [1, 3] for ids [1, 1], expected floating-point logits [1, 1, V]",
            Assert.ThrowsExactly<ArgumentException>(() => CausalLanguageModel.FromModule(new Flat())).Message);
        using CausalLanguageModel model = CausalLanguageModel.FromModule(new Recurrent());
        using KeyValueCache cache = new();
        Assert.Contains("keeps no keys and values", Assert.ThrowsExactly<NotSupportedException>(() => model.ComputeHidden(zeros(1, 1, dtype: int64), cache)).Message);
        using BatchGradient gradient = new(model, new GradientSettings { Loss = CustomTokenLoss.OfHidden((hidden, _, _) => new LossSum(hidden.sum(), 1)) });
        Assert.Contains("this one gives logits", Assert.ThrowsExactly<NotSupportedException>(() => gradient.Accumulate(Ragged.Split(Ragged.Examples(), 8))).Message);
    }

    private static LossSum CrossEntropy(Tensor logits, Tensor targets, Tensor? weights) =>
        new(nn.functional.cross_entropy(logits, targets, reduction: nn.Reduction.Sum).to(float64), targets.shape[0]);

    private static Tensor FullBatch(IReadOnlyList<TokenExample> batch)
    {
        using Recurrent module = new();
        using FlatParameters parameters = new(module.named_parameters());
        (Tensor ids, Tensor targets) = Ragged.Pad(batch);
        nn.functional.cross_entropy(module.call(ids).flatten(0, 1), targets.flatten(), ignore_index: TokenExample.IgnoredTarget).backward();
        return parameters.Gradients.clone();
    }

    // A plain recurrent network: h_t = tanh(A h_(t-1) + embedding of id t), logits = log softmax(B h_t), whose backward pass reads the logits, so that code that overwrites them is found out. Its generator is its own, so that every instance is the same.
    private sealed class Recurrent : nn.Module<Tensor, Tensor>
    {
        private const int Width = 7;
        private readonly Parameter embedding, mixing;
        private readonly Linear head;

        public Recurrent()
            : base(nameof(Recurrent))
        {
            using Generator generator = new(9);
            embedding = Draw(Ragged.Vocabulary, Width, generator);
            mixing = Draw(Width, Width, generator);
            head = nn.Linear(Draw(Ragged.Vocabulary, Width, generator), Draw(Ragged.Vocabulary, 1, generator).squeeze(1).detach().AsParameter());
            RegisterComponents();
        }

        public override Tensor forward(Tensor ids)
        {
            Tensor inputs = embedding.index_select(0, ids.flatten()).view(ids.shape[0], ids.shape[1], Width);      // [B,T,C]
            List<Tensor> states = [];
            Tensor state = zeros(ids.shape[0], Width, dtype: inputs.dtype);
            for (int t = 0; t < ids.shape[1]; t++)
                states.Add(state = (state.matmul(mixing) + inputs.select(1, t)).tanh());
            return head.call(stack(states, 1)).log_softmax(-1);
        }

        private static Parameter Draw(long rows, long columns, Generator generator) => nn.Parameter(empty(rows, columns, dtype: float64).normal_(0, 0.7, generator));
    }

    private sealed class Flat : nn.Module<Tensor, Tensor>
    {
        private readonly Parameter weight;

        public Flat()
            : base(nameof(Flat))
        {
            weight = nn.Parameter(ones(1, 3));
            RegisterComponents();
        }

        public override Tensor forward(Tensor ids) => weight * 2;
    }
}
