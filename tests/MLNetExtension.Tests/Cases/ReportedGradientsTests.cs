using MLNetExtension.Training.Optimization;
using MLNetExtension.Data;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Losses;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Lora;
using MLNetExtension.Training;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Ranks;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Cases;

/// <summary>
/// Gradients that were reported wrong elsewhere, from CASES.md. Not here, because the library does not have them: preference and policy losses (39), distillation (41), optimizers in 8 bits (50). Whoever
/// adds one adds its row.
/// </summary>
[TestClass]
public sealed class ReportedGradientsTests
{
    // CASES 26, transformers #46775: the count of the whole batch divided once more by those who share it. CASES 31, torchtitan #3575, open-instruct #1498: only the last micro-batch's gradient survives.
    // CASES 33, unsloth-zoo #1023: divided by the targets and then by the micro-batches. The controls are those three.
    // Seen to fail with: the gradient divided once more by the micro-batches; the embedding's gradient added twice.
    [TestMethod]
    [DataRow(2, 1, 1, DisplayName = "four micro-batches")]
    [DataRow(1, 3, 1, DisplayName = "three workers")]
    [DataRow(2, 1, 4, DisplayName = "four ranks")]
    [DataRow(1, 2, 2, DisplayName = "two workers on each of two ranks")]
    public void However_a_batch_is_shared_its_gradient_is_added_up_whole_and_divided_once(int rows, int workers, int ranks)
    {
        using var scope = NewDisposeScope();
        TokenExample[] batch = Ragged.Examples(8);
        Tensor expected = Ragged.FullBatch(batch).Gradient, last = Ragged.FullBatch(batch[^rows..]).Gradient;

        IReadOnlyList<IReadOnlyList<TokenExample>> microBatches = Ragged.Split(batch, rows);
        Tensor gradient = ranks == 1 ? OverWorkers(microBatches, workers) : OverRanks(microBatches, workers * ranks);

        Assert.IsLessThan(1e-12, Ragged.RelativeError(gradient, expected));
        Assert.IsGreaterThan(0.1, Ragged.RelativeError(gradient / microBatches.Count, expected));
        Assert.IsGreaterThan(0.1, Ragged.RelativeError(gradient / (workers * ranks + 1), expected));
        Assert.IsGreaterThan(0.1, Ragged.RelativeError(last, expected));
    }

    // CASES 28, torchtitan #4194: normalized in one place only, so that clipping saw a gradient that was many times too long. CASES 48, aprender #2112: the factor computed and then discarded.
    // After its first step AdamW's first moment is 0.1 times the gradient that it was given. With an epsilon that dwarfs the gradient, its update is in proportion to that gradient.
    // Seen to fail with: the factor computed and discarded; the gradient divided once more by the micro-batches; a norm without its last piece.
    [TestMethod]
    [DataRow(10_000)]
    [DataRow(30)]
    public void Clipping_sees_the_divided_gradient_and_a_clipped_step_differs_from_an_unclipped_one_by_exactly_the_factor(int tokensPerMicroBatch)
    {
        using var scope = NewDisposeScope();
        TokenExample[] batch = Ragged.Examples(8);
        Tensor expected = Ragged.FullBatch(batch).Gradient;
        double norm = expected.norm().ToDouble();

        (BatchLoss loss, Tensor given, Tensor update) = Step(batch, tokensPerMicroBatch, maximumNorm: 0);
        (BatchLoss clippedLoss, Tensor clipped, Tensor clippedUpdate) = Step(batch, tokensPerMicroBatch, maximumNorm: norm / 3);
        Tensor within = Step(batch, tokensPerMicroBatch, maximumNorm: norm * 1.001).Given;

        Assert.IsLessThan(1e-12, Ragged.RelativeError(given, expected * 0.1));
        Assert.AreEqual(norm, loss.GradientNorm, 1e-12 * norm);
        Assert.AreEqual(loss, clippedLoss, "the norm is reported as it was before clipping");
        Assert.IsLessThan(1e-12, Ragged.RelativeError(clipped, given / 3));
        Assert.IsLessThan(1e-6, Ragged.RelativeError(clippedUpdate, update / 3));
        CollectionAssert.AreEqual(given.bytes.ToArray(), within.bytes.ToArray());
    }

    // CASES 32, torchtitan #3174, unsloth-zoo #892: the gradient of a tied head was doubled. Tied, it is the embedding's and the head's together. Adapters on either are refused.
    // Seen to fail with: the embedding's gradient added twice where the head is tied.
    [TestMethod]
    public void The_gradient_of_a_tied_head_is_that_of_the_embedding_and_of_the_head_each_once()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model tied = Create(tied: true), untied = Create(tied: false);
        using (no_grad())
            untied.HeadWeight.copy_(tied.HeadWeight);
        using BatchGradient together = new(tied), apart = new(untied);
        foreach (BatchGradient gradient in new[] { together, apart })
            gradient.Accumulate(Ragged.Split(Ragged.Examples(8), 3));

        Tensor embedding = apart.Parameters.GradientOf(untied.TokenEmbedding), head = apart.Parameters.GradientOf(untied.HeadWeight);
        Tensor actual = together.Parameters.GradientOf(tied.HeadWeight);
        Assert.IsLessThan(1e-12, Ragged.RelativeError(actual, embedding + head));
        Assert.IsGreaterThan(0.01, Ragged.RelativeError(actual, embedding + head * 2));
        Assert.IsGreaterThan(0.01, Ragged.RelativeError(actual, embedding * 2 + head));
        foreach (string name in new[] { "lm_head", "wte" })
            Assert.Contains(name, Assert.ThrowsExactly<ArgumentException>(() => HuggingFaceAdapters.Attach(tied, new LoraOptions { TargetModules = [name] }, seed: 1)).Message);
    }

    // CASES 34, Liger #1298: with token weights every gradient was scaled by the first weight. Seen to fail with: the first weight of a chunk given to all of its targets.
    [TestMethod]
    [DataRow(1)]
    [DataRow(3)]
    [DataRow(100)]
    public void Every_target_is_weighted_by_its_own_weight(int chunkTokens)
    {
        using var scope = NewDisposeScope();
        using Generator generator = new(4);
        Tensor hidden = randn(8, 5, dtype: float64, generator: generator).requires_grad_(), head = randn(11, 5, dtype: float64, generator: generator).requires_grad_();
        Tensor targets = randint(11, [8], dtype: int64, generator: generator), weights = arange(1, 9, dtype: float64) / 3;
        Tensor expected = (nn.functional.cross_entropy(nn.functional.linear(hidden, head), targets, reduction: nn.Reduction.None) * weights).sum();
        expected.backward();

        Tensor hiddenGradient = zeros_like(hidden), headGradient = zeros_like(head);
        LossSum loss = new LinearCrossEntropy(chunkTokens).Backward(
            new TokenTargets(hidden.detach(), head.detach(), targets, weights, 12), new TokenGradients(hiddenGradient, headGradient, 1));

        Assert.AreEqual(expected.ToDouble(), loss.Sum.ToDouble(), 1e-12 * expected.ToDouble());
        Assert.IsLessThan(1e-12, Ragged.RelativeError(hiddenGradient, hidden.grad!));
        Assert.IsLessThan(1e-12, Ragged.RelativeError(headGradient, head.grad!));
    }

    // CASES 40, trl #6439, torchtitan #4174: tokens that a later step masks out were still counted. Here a loss leaves out the targets below 5. The control divides by all targets.
    // Seen to fail with: the batch's targets in place of the loss's count.
    [TestMethod]
    [DataRow(8)]
    [DataRow(3)]
    [DataRow(1)]
    public void The_count_is_of_what_the_loss_saw(int rows)
    {
        using var scope = NewDisposeScope();
        TokenExample[] batch = Ragged.Examples(8);
        TokenExample[] seen = [.. batch.Select(e => new TokenExample(e.Ids, [.. e.Targets.Select(target => target < 5 ? TokenExample.IgnoredTarget : target)], e.TargetBytes, e.Position))];
        (double expectedLoss, Tensor expected) = Ragged.FullBatch(seen);
        CustomTokenLoss loss = CustomTokenLoss.OfLogits((logits, targets, _) =>
        {
            Tensor kept = targets.ge(5).to(float64);
            return new LossSum((nn.functional.cross_entropy(logits, targets, reduction: nn.Reduction.None) * kept).sum(), kept.sum().ToDouble());
        });

        (BatchLoss actual, Tensor gradient) = Ragged.Accumulate(Ragged.Split(batch, rows), loss: loss);

        Assert.AreEqual(seen.Sum(e => e.TargetCount), actual.TargetCount);
        Assert.AreEqual(expectedLoss, actual.Mean, 1e-12 * expectedLoss);
        Assert.IsLessThan(1e-12, Ragged.RelativeError(gradient, expected));
        Assert.IsGreaterThan(0.05, Ragged.RelativeError(gradient * ((double)seen.Sum(e => e.TargetCount) / batch.Sum(e => e.TargetCount)), expected));
    }

    // CASES 49, OLMo-core #452: rows without a target were kept in the denominator to avoid NaN.
    // Seen to fail with: the gradient divided once more by the micro-batches.
    [TestMethod]
    [DataRow(2, false)]
    [DataRow(2, true)]
    [DataRow(1, false)]
    public void Rows_without_a_target_count_nowhere_and_make_no_NaN(int rows, bool pack)
    {
        using var scope = NewDisposeScope();
        TokenExample[] batch = Ragged.Examples(4);
        TokenExample[] mixed = [batch[0], Ragged.WithoutTargets(9), Ragged.WithoutTargets(3), Ragged.WithoutTargets(24), .. batch[1..], Ragged.WithoutTargets(1)];
        (double expectedLoss, Tensor expected) = Ragged.FullBatch(batch);

        (BatchLoss loss, Tensor gradient) = Ragged.Accumulate(Ragged.Split(mixed, rows), pack: pack);

        Assert.AreEqual(batch.Sum(e => e.TargetCount), loss.TargetCount);
        Assert.AreEqual(expectedLoss, loss.Mean, 1e-12 * expectedLoss);
        Assert.IsLessThan(1e-12, Ragged.RelativeError(gradient, expected));
        Assert.IsTrue(loss.IsFinite);
    }

    private static Tensor OverWorkers(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, int workers)
    {
        using Gpt2Model model = Ragged.Model();
        using BatchGradient gradient = new(model);
        gradient.Accumulate(microBatches, workers);
        return gradient.Parameters.Gradients.clone();
    }

    private static Tensor OverRanks(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, int ranks)
    {
        WorkerGradient[] gradients = [.. Enumerable.Range(0, ranks).Select(_ => new WorkerGradient(Ragged.Model(), new GradientSettings()))];
        for (int k = 0; k < microBatches.Count; k++)
            gradients[k % ranks].Add(microBatches[k], dropoutSeed: 0);
        foreach (WorkerGradient other in gradients[1..])
            gradients[0].Merge(other);
        gradients[0].DivideGradient(SingleRank.Instance);
        Tensor gradient = gradients[0].Parameters.Gradients.clone();
        foreach (WorkerGradient rank in gradients)
            rank.Dispose();
        return gradient;
    }

    private static (BatchLoss Loss, Tensor Given, Tensor Update) Step(TokenExample[] batch, int tokensPerMicroBatch, double maximumNorm)
    {
        using Gpt2Model model = Ragged.Model();
        TrainingOptions options = new()
        {
            Optimizer = new AdamWOptions { Epsilon = 1e8, WeightDecay = 0, MaximumGradientNorm = maximumNorm },
            Batching = new() { MaximumTokensPerMicroBatch = tokensPerMicroBatch, Workers = 1 },
        };
        using TrainingStep step = new(model, options, tune: false);
        Tensor before = step.Parameters.Values.clone();
        StepResult result = step.Run(batch, learningRate: 1e6, dropoutSeed: 1);
        return (result.Loss, step.Optimizer.State[0].Tensor.clone(), step.Parameters.Values - before);
    }

    private static Gpt2Model Create(bool tied)
    {
        Gpt2Model model = new(new Gpt2Configuration(Ragged.Vocabulary, ContextLength: 24, Layers: 1, Heads: 2, Width: 12, TiedHead: tied), seed: 1);
        model.to(ScalarType.Float64);
        using (no_grad())
        {
            foreach (Tensor parameter in model.parameters())
                parameter.mul_(parameter.dim() >= 2 ? 8 : 1);
        }
        return model;
    }
}
