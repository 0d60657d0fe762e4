using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models;
using MLNetExtension.Models.Custom;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.Models.Lora;
using MLNetExtension.Tests.Repository;
using MLNetExtension.Training;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Reports;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Accumulation;

/// <summary>NEFTune's noise: what it is, and that it is the same for every split. Other libraries draw it from a global generator, so that another split trains on other noise.</summary>
[TestClass]
public sealed class EmbeddingNoiseTests
{
    private const double Alpha = 5;

    [TestMethod]
    [DataRow(true, ScalarType.Float64, 1e-15)]
    [DataRow(false, ScalarType.Float64, 1e-15)]
    [DataRow(true, ScalarType.Float32, 1e-6)]
    [DataRow(false, ScalarType.Float32, 1e-6)]
    public void The_noise_is_that_of_the_paper_drawn_by_an_independent_program(bool pack, ScalarType dtype, double tolerance)
    {
        using var scope = NewDisposeScope();
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllText(Path.Combine(SourceTree.Root, "tests/MLNetExtension.Tests/Training/Accumulation/Golden/embedding-noise.json")));
        JsonElement[] rows = [.. golden.RootElement.GetProperty("rows").EnumerateArray()];
        TokenExample[] examples = [.. rows.Select(row => Row(row.GetProperty("position").GetInt64(), [.. row.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())]))];
        using MicroBatch microBatch = pack ? MicroBatch.Pack(examples, CPU) : MicroBatch.Collate(examples, CPU);
        int width = golden.RootElement.GetProperty("width").GetInt32();
        Tensor tokens = ones([.. microBatch.Ids.shape, width], dtype: dtype);
        EmbeddingNoise.Add(tokens, microBatch, golden.RootElement.GetProperty("alpha").GetDouble(), golden.RootElement.GetProperty("seed").GetInt64());

        double[,,] actual = new double[tokens.shape[0], tokens.shape[1], width];
        double[] flat = (tokens - 1).to(float64).data<double>().ToArray();
        Buffer.BlockCopy(flat, 0, actual, 0, flat.Length * sizeof(double));
        for (int row = 0, start = 0; row < rows.Length; start += examples[row].Length, row++)
        {
            double[][] expected = [.. rows[row].GetProperty("noise").EnumerateArray().Select(position => position.EnumerateArray().Select(value => value.GetDouble()).ToArray())];
            for (int t = 0; t < tokens.shape[1]; t++)
            {
                for (int c = 0; c < width; c++)
                {
                    if (pack && t >= examples[row].Length)
                        continue;
                    Assert.AreEqual(t < expected.Length ? expected[t][c] : 0, pack ? actual[0, start + t, c] : actual[row, t, c], tolerance, $"row {row}, position {t}, channel {c}");
                }
            }
        }
    }

    [TestMethod]
    public void Any_split_gives_the_gradient_of_the_full_batch_with_its_noise()
    {
        Prop.ForAll(AnySplitTests.Case.Generator.ToArbitrary(), drawn =>
        {
            if (drawn.Batch().Sum(e => e.Weight * e.TargetCount) == 0)
                return true;
            using var scope = NewDisposeScope();
            (double expectedLoss, Tensor expected) = FullBatch(drawn.Batch(), seed: drawn.Seed);
            (BatchLoss loss, Tensor gradient) = Accumulate(drawn, Alpha, LossNormalization.Token);
            return Ragged.RelativeError(gradient, expected) < 1e-12 && Math.Abs(loss.Mean - expectedLoss) <= 1e-12 * expectedLoss;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(40).WithReplay(20261122, 1));
    }

    // The controls: without noise, with that of another step, and with the mean of means the gradient is another.
    [TestMethod]
    public void Another_noise_or_normalization_gives_another_gradient()
    {
        using var scope = NewDisposeScope();
        AnySplitTests.Case drawn = new(Seed: 11, Rows: 5, Longest: 20, Weighted: false, LabelSmoothing: 0, ZLoss: 0, Pack: true, Recompute: false, SplitSeed: 3);
        Tensor expected = FullBatch(drawn.Batch(), seed: drawn.Seed).Gradient;
        Assert.IsLessThan(1e-12, Ragged.RelativeError(Accumulate(drawn, Alpha, LossNormalization.Token).Gradient, expected));
        Assert.IsGreaterThan(1e-2, Ragged.RelativeError(Accumulate(drawn, 0, LossNormalization.Token).Gradient, expected));
        Assert.IsGreaterThan(1e-2, Ragged.RelativeError(FullBatch(drawn.Batch(), seed: 12).Gradient, expected));
        Assert.IsGreaterThan(1e-2, Ragged.RelativeError(Accumulate(drawn, Alpha, LossNormalization.MicroBatchMean).Gradient, expected));
    }

    // The shares of experts are counted in a pass of their own, which must see the same noise; recomputation is a third.
    [TestMethod]
    [DataRow(1, 1, false, false)]
    [DataRow(3, 2, true, true)]
    [DataRow(2, 1, true, false)]
    [DataRow(8, 1, false, true)]
    public void Routers_counts_workers_and_recomputation_see_the_same_noise(int rows, int workers, bool pack, bool recompute)
    {
        using var scope = NewDisposeScope();
        (BatchLoss expectedLoss, Tensor expected) = Compute(Ragged.Split(Ragged.Examples(), 8), 1, pack: false, recompute: false);
        (BatchLoss loss, Tensor gradient) = Compute(Ragged.Split(Ragged.Examples().Reverse(), rows), workers, pack, recompute);
        Assert.IsLessThan(1e-12, Ragged.RelativeError(gradient, expected));
        Assert.AreEqual(expectedLoss.Objective, loss.Objective, 1e-12 * expectedLoss.Objective);

        static (BatchLoss, Tensor) Compute(IReadOnlyList<IReadOnlyList<TokenExample>> microBatches, int workers, bool pack, bool recompute)
        {
            using Gpt2Model model = Ragged.Model(experts: 3);
            using BatchGradient gradient = new(model, new GradientSettings { EmbeddingNoise = 20, BalanceCoefficient = 5, Pack = pack, Recompute = recompute });
            return (gradient.Accumulate(microBatches, workers, dropoutSeed: 99), gradient.Parameters.Gradients.clone());
        }
    }

    // Adapters on frozen weights: the embedding has no gradient, and its noise is there all the same.
    [TestMethod]
    public void Adapters_on_a_frozen_embedding_are_trained_on_the_same_noise_for_any_split()
    {
        using var scope = NewDisposeScope();
        Tensor expected = Compute(8, Alpha), without = Compute(8, 0);
        foreach (int rows in new[] { 1, 3 })
            Assert.IsLessThan(1e-12, Ragged.RelativeError(Compute(rows, Alpha), expected));
        Assert.IsGreaterThan(1e-3, Ragged.RelativeError(without, expected));

        static Tensor Compute(int rows, double alpha)
        {
            using Gpt2Model model = Ragged.Model();
            Adapted.Attach(model, new LoraOptions { Rank = 2, TargetModules = ["*"] });
            using BatchGradient gradient = new(model, new GradientSettings { EmbeddingNoise = alpha });
            gradient.Accumulate(Ragged.Split(Ragged.Examples(), rows), dropoutSeed: 5);
            return gradient.Parameters.Gradients.clone();
        }
    }

    // Uniform between -1 and 1: a mean of 0, a variance of 1/3, and nothing in common between neighbours, rows and steps. The bounds are five standard deviations.
    [TestMethod]
    public void The_noise_is_uniform_and_its_parts_are_independent()
    {
        using var scope = NewDisposeScope();
        const int Width = 64, Length = 50;
        int[] ids = [.. Enumerable.Range(0, Length)];
        Tensor first = Draw(Row(1, ids), seed: 1), otherRow = Draw(Row(2, ids), seed: 1), otherStep = Draw(Row(1, ids), seed: 2), otherPiece = Draw(Row(1, [.. ids.Reverse()]), seed: 1);
        Assert.IsLessThanOrEqualTo(1, first.abs().max().ToDouble());
        Assert.IsGreaterThan(0.99, first.max().ToDouble());
        Assert.IsLessThan(-0.99, first.min().ToDouble());
        double standardError = Math.Sqrt(1.0 / 3 / (Length * Width));
        Assert.AreEqual(0, first.mean().ToDouble(), 5 * standardError);
        Assert.AreEqual(1.0 / 3, first.square().mean().ToDouble(), 5 * Math.Sqrt(4.0 / 45 / (Length * Width)));
        foreach ((string what, Tensor left, Tensor right) in new[]
        {
            ("channels", first.narrow(1, 0, Width - 1), first.narrow(1, 1, Width - 1)), ("positions", first.narrow(0, 0, Length - 1), first.narrow(0, 1, Length - 1)),
            ("rows", first, otherRow), ("steps", first, otherStep), ("pieces of a long row", first, otherPiece),
        })
        {
            Assert.AreEqual(0, (left * right).mean().ToDouble(), 5 * standardError / Math.Sqrt(3), what);
        }

        static Tensor Draw(TokenExample row, long seed)
        {
            using MicroBatch microBatch = MicroBatch.Pack([row], CPU);
            Tensor tokens = zeros([1, Length, Width], dtype: float64);
            EmbeddingNoise.Add(tokens, microBatch, Math.Sqrt(Length * Width), seed);
            return tokens[0];
        }
    }

    // More than one piece of what is drawn at a time.
    [TestMethod]
    public void A_large_micro_batch_has_the_noise_of_its_rows()
    {
        using var scope = NewDisposeScope();
        const int Width = 700;
        TokenExample[] rows = [.. Enumerable.Range(0, 9).Select(row => Row(row, [.. Enumerable.Range(0, 60 + row)]))];
        using MicroBatch together = MicroBatch.Pack(rows, CPU), last = MicroBatch.Pack(rows[^1..], CPU);
        Tensor all = zeros([1, rows.Sum(row => row.Length), Width]), one = zeros([1, rows[^1].Length, Width]);
        EmbeddingNoise.Add(all, together, Alpha, 4);
        EmbeddingNoise.Add(one, last, Alpha, 4);
        CollectionAssert.AreEqual(one.bytes.ToArray(), all.narrow(1, all.shape[1] - one.shape[1], one.shape[1]).contiguous().bytes.ToArray());
    }

    [TestMethod]
    public void Training_has_other_noise_in_every_step_and_evaluation_has_none()
    {
        List<StepReport> steps = [];
        using Gpt2Model model = Ragged.Model();
        double[] validated = [0, 0];
        int measured = 0;
        TrainingOptions options = new() { MaximumSteps = 4, LearningRate = 1e-300, Regularization = new() { EmbeddingNoise = Alpha } };
        TokenExample[] rows = Ragged.Examples(1, seed: 3);
        model.eval();
        double untrained = Score(default);
        TrainingLoop.Run(new TrainingRun(model, rows, options, Seed: 1)
        {
            OnStep = steps.Add,
            Validation = new Validation(token => (validated[measured++] = Score(token), 1), interval: 2),
        });
        CollectionAssert.AllItemsAreUnique(steps.Select(step => step.Loss).ToArray());
        Assert.AreEqual(2, measured);
        CollectionAssert.AreEqual(new[] { untrained, untrained }, validated);

        double Score(CancellationToken token) => new MLNetExtension.Evaluation.RowScorer(model).Score(rows, token).Sum(row => row.LossSum);
    }

    [TestMethod]
    public void A_model_in_half_precision_gets_the_noise_rounded()
    {
        using var scope = NewDisposeScope();
        using MicroBatch microBatch = MicroBatch.Pack([Row(3, [1, 2, 3])], CPU);
        Tensor half = zeros([1, 3, 8], dtype: bfloat16), single = zeros([1, 3, 8]);
        EmbeddingNoise.Add(half, microBatch, Alpha, 6);
        EmbeddingNoise.Add(single, microBatch, Alpha, 6);
        Assert.IsTrue(half.eq(single.to(bfloat16)).all().item<bool>());
    }

    [TestMethod]
    public void A_module_from_ids_to_logits_is_refused_by_name()
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = new CustomLanguageModel(new ProbedNetwork((_, _) => { }), contextLength: 24);
        NotSupportedException error = Assert.ThrowsExactly<NotSupportedException>(() =>
            TrainingLoop.Run(model, Ragged.Examples(2), new TrainingOptions { MaximumSteps = 1, Regularization = new() { EmbeddingNoise = 5 } }, seed: 1));
        StringAssert.Contains(error.Message, "Regularization.EmbeddingNoise is 5, but CustomLanguageModel is a module from token ids to logits");
    }

    private static TokenExample Row(long position, int[] ids) => new(ids, [.. ids.Select(_ => 1)], ids.Length, position);

    private static (BatchLoss Loss, Tensor Gradient) Accumulate(AnySplitTests.Case drawn, double alpha, LossNormalization normalization)
    {
        using Gpt2Model model = Ragged.Model();
        using BatchGradient gradient = new(model, new GradientSettings
        {
            Normalization = normalization, Loss = new LinearCrossEntropy(chunkTokens: 7), Recompute = drawn.Recompute, Pack = drawn.Pack, EmbeddingNoise = alpha,
        });
        return (gradient.Accumulate(drawn.Split(), workers: 1 + drawn.SplitSeed % 2, dropoutSeed: drawn.Seed), gradient.Parameters.Gradients.clone());
    }

    // The paper's algorithm written out: the whole batch, padded, through automatic differentiation; the noise of a row number by number.
    private static (double Loss, Tensor Gradient) FullBatch(TokenExample[] batch, long seed)
    {
        using Gpt2Model model = Ragged.Model();
        using FlatParameters parameters = new(model.named_parameters());
        (Tensor ids, Tensor targets) = Ragged.Pad(batch);
        Tensor embedding = model.TokenEmbedding;
        long length = ids.shape[1], width = embedding.shape[1];
        double[] noise = [.. batch.SelectMany(row => Noise(row, length, width, seed))];
        Tensor hidden = model.AddPositions(embedding.index_select(0, ids.flatten()).view(batch.Length, length, width) + tensor(noise, [batch.Length, length, width]), SequenceLayout.Full);
        foreach (TransformerBlock block in model.Blocks)
            hidden = block.call(hidden, SequenceLayout.Full);
        Tensor logits = model.ComputeLogits(model.Normalize(hidden));
        Tensor weights = targets.ne(TokenExample.IgnoredTarget).to(float64) * tensor([.. batch.Select(e => e.Weight)], dtype: float64).unsqueeze(1);
        Tensor losses = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index: TokenExample.IgnoredTarget, reduction: nn.Reduction.None).view(targets.shape);
        Tensor loss = (losses * weights).sum() / weights.sum();
        loss.backward();
        return (loss.ToDouble(), parameters.Gradients.clone());
    }

    private static IEnumerable<double> Noise(TokenExample row, long length, long width, long seed)
    {
        ulong key = row.Ids.Aggregate(SplitMix64.Mix(SplitMix64.Mix((ulong)seed) + (ulong)row.Position), (mixed, id) => SplitMix64.Mix(unchecked(mixed + (uint)id)));
        SplitMix64 positions = new(key);
        for (int t = 0; t < length; t++)
        {
            SplitMix64 channels = new(t < row.Length ? positions.NextUInt64() : 0);
            for (int c = 0; c < width; c++)
            {
                double unit = ((long)channels.NextUInt64() >> 33) / (double)(1 << 30);
                yield return t < row.Length ? Alpha / Math.Sqrt(row.Length * (double)width) * unit : 0;
            }
        }
    }
}
