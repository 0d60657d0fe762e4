using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Generation;
using MLNetExtension.Models;
using MLNetExtension.Models.Llama;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.Models.Lora;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training.Accumulation;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models.Llama;

/// <summary>
/// OLMo 2, Qwen 3 with experts, Phi 3, Gemma 2 and 3: the law, packing, the cache, scores and adapters. What their blocks compute is held by <see cref="GoldenLogitsTests"/>, their backward passes by
/// <see cref="BlockBackwardTests"/>. Rows of the Phi 3 lie on both sides of its limit of short rows.
/// </summary>
[TestClass]
public sealed class PublishedTypesTests
{
    public static IEnumerable<object[]> Types => TinyLlama.Types.Select(type => new object[] { type });

    // Seen to fail with: a cap of logits that the head's gradient leaves out, the longest row of a micro-batch deciding on every row's frequencies, a norm after a layer whose backward pass overwrites the
    // gradient beside it.
    [TestMethod]
    [DynamicData(nameof(Types))]
    public void Any_split_padded_or_packed_gives_the_full_batch_gradient(string type)
    {
        using var scope = NewDisposeScope();
        TokenExample[] batch = Ragged.Examples(rows: 6);
        Tensor expected = FullBatch(TinyLlama.Make(TinyLlama.OfType(type)), batch);

        foreach ((int rows, bool pack, int workers) in new[] { (1, false, 1), (2, false, 2), (6, false, 1), (1, true, 2), (2, true, 1), (6, true, 1) })
        {
            using LlamaModel model = TinyLlama.Make(TinyLlama.OfType(type));
            using BatchGradient gradient = new(model, new GradientSettings { Recompute = rows == 2, Pack = pack });
            gradient.Accumulate(Ragged.Split(batch, rows), workers);
            Assert.IsLessThan(1e-12, Ragged.RelativeError(gradient.Parameters.Gradients, expected), $"{rows} rows, packed {pack}, {workers} workers");
        }

        using LlamaModel other = TinyLlama.Make(TinyLlama.OfType(type));
        using BatchGradient mean = new(other, new GradientSettings { Normalization = LossNormalization.MicroBatchMean });
        mean.Accumulate(Ragged.Split(batch, 2));
        Assert.IsGreaterThan(1e-3, Ragged.RelativeError(mean.Parameters.Gradients, expected), "the mean of means");
    }

    [TestMethod]
    [DynamicData(nameof(Types))]
    public void Adapters_on_every_matrix_follow_the_law_and_return_from_their_files(string type)
    {
        LoraOptions options = new() { Rank = 3, Alpha = 5 };
        using var scope = NewDisposeScope();
        using TemporaryFolder folder = new();
        TokenExample[] batch = Ragged.Examples(rows: 6);
        LlamaModel full = TinyLlama.Make(TinyLlama.OfType(type));
        Adapted.Attach(full, options);
        Tensor expected = FullBatch(full, batch);

        using LlamaModel model = TinyLlama.Make(TinyLlama.OfType(type));
        LoraAdapters adapters = Adapted.Attach(model, options);
        int matrices = HuggingFaceAdapters.ListModules(model).Count;
        Assert.AreEqual(matrices, adapters.Attached.Count);
        Assert.AreEqual(HuggingFaceConfiguration.FindArchitecture(model).Tensors.Count(tensor => tensor.Shape.Length == 2 && tensor.Name.StartsWith("layers.", StringComparison.Ordinal)), matrices);
        foreach ((int rows, bool pack) in new[] { (1, false), (3, true) })
        {
            using BatchGradient gradient = new(model, new GradientSettings { Pack = pack });
            gradient.Accumulate(Ragged.Split(batch, rows), workers: 2);
            Assert.IsLessThan(1e-12, Ragged.RelativeError(gradient.Parameters.Gradients, expected), $"{rows} rows, packed {pack}");
        }

        Tensor ids = arange(12, dtype: int64).view(1, 12), adapted = model.call(ids).detach();
        HuggingFaceAdapters.Save(adapters, folder.Path);
        using LlamaModel again = TinyLlama.Make(TinyLlama.OfType(type));
        Assert.IsGreaterThan(1e-2, Ragged.RelativeError(again.call(ids), adapted), "the base alone");
        HuggingFaceAdapters.Load(again, folder.Path).Merge();
        Assert.IsLessThan(1e-12, Ragged.RelativeError(again.call(ids), adapted));
    }

    // Seen to fail with: scores of logits without their cap.
    [TestMethod]
    [DynamicData(nameof(Types))]
    public void Scores_are_those_of_the_models_logits(string type)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using LlamaModel model = TinyLlama.Make(TinyLlama.OfType(type));
        model.eval();
        TokenExample[] rows = Ragged.Examples(rows: 6);
        double[] expected = [.. rows.Select(row => LossOf(model, row).ToDouble())];
        foreach (bool pack in new[] { false, true })
        {
            IReadOnlyList<RowScore> scores = new RowScorer(model, packRows: pack).Score(rows);
            for (int i = 0; i < rows.Length; i++)
                Assert.AreEqual(expected[i], scores[i].LossSum, 1e-12 * expected[i], $"row {i}, packed {pack}");
        }
    }

    // Seen to fail with: keys in the cache from before a row of the Phi 3 outgrew its limit.
    [TestMethod]
    [DynamicData(nameof(Types))]
    public void Texts_that_grow_together_are_continued_as_each_read_anew(string type)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using LlamaModel model = TinyLlama.Make(TinyLlama.OfType(type));
        model.eval();
        using NextTokenPredictor predictor = new(model);
        Random random = new(4);
        List<int>[] texts = [[3, 1, 4, 1], [5], [9, 2, 6, 5, 3, 5, 8]];
        for (int step = 0; step < 12; step++)
        {
            double[][] logits = predictor.Predict(texts);
            for (int i = 0; i < texts.Length; i++)
            {
                Tensor anew = model.call(tensor([.. texts[i].Select(id => (long)id)]).unsqueeze(0)).select(0, 0).select(0, -1);
                Assert.IsLessThan(1e-12, Ragged.RelativeError(tensor(logits[i]), anew), $"step {step}, text {i}");
                texts[i].Add(random.Next(Ragged.Vocabulary));
            }
        }
    }

    [TestMethod]
    public void A_cache_is_not_continued_past_the_limit_of_short_rows()
    {
        using var scope = NewDisposeScope();
        using LlamaModel model = TinyLlama.Make(TinyLlama.OfType("phi3"));
        using KeyValueCache cache = new([0, 3]);
        Tensor ids = zeros(2, TinyLlama.ShortRowLimit, dtype: int64);
        model.ComputeHidden(ids, cache);
        ArgumentException error = Assert.ThrowsExactly<ArgumentException>(() => model.ComputeHidden(ids.narrow(1, 0, 1), cache));
        Assert.Contains($"A row outgrows {TinyLlama.ShortRowLimit} positions", error.Message);
        using KeyValueCache shorter = cache.Select([1]);
        for (int i = 0; i < 3; i++)
            model.ComputeHidden(ids.narrow(0, 0, 1).narrow(1, 0, 1), shorter);
        Assert.ThrowsExactly<ArgumentException>(() => model.ComputeHidden(ids.narrow(0, 0, 1).narrow(1, 0, 1), shorter));
    }

    [TestMethod]
    [DynamicData(nameof(Types))]
    public void A_model_made_here_starts_as_one_whose_norms_change_nothing(string type)
    {
        using LlamaModel model = new(TinyLlama.OfType(type), seed: 1);
        bool addsOne = model.Configuration.NormsAddOne;
        foreach ((string name, Tensor weight) in model.named_parameters().Where(pair => pair.name.EndsWith("norm.weight", StringComparison.Ordinal)).Select(pair => (pair.name, (Tensor)pair.parameter)))
            Assert.AreEqual(addsOne ? 0 : 1, weight.mean().ToDouble(), name);
    }

    // Whole logits of each row by itself, torch's own cross entropy and autograd, one division.
    private static Tensor FullBatch(LlamaModel model, IReadOnlyList<TokenExample> batch)
    {
        using (model)
        {
            using FlatParameters parameters = new(model.named_parameters());
            Tensor sum = batch.Select(row => LossOf(model, row)).Aggregate((total, next) => total + next);
            (sum * (1.0 / batch.Sum(row => row.TargetCount))).backward();
            return parameters.Gradients.clone();
        }
    }

    private static Tensor LossOf(LlamaModel model, TokenExample row)
    {
        (Tensor ids, Tensor targets) = Ragged.Pad([row]);
        return nn.functional.cross_entropy(model.call(ids).flatten(0, 1), targets.flatten(), ignore_index: TokenExample.IgnoredTarget, reduction: nn.Reduction.Sum);
    }
}
