using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.Data;
using MLNetExtension.Tests.Models;
using MLNetExtension.Tests.Repository;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.MLNet.Trainer;

/// <summary>Five steps of Hugging Face's Trainer on a Mixtral, through the public API alone; Training/Golden/make_mixtral_steps.py says what computed them.</summary>
[TestClass]
public sealed class MixtralStepsTests
{
    private const string GoldenFolder = "tests/MLNetExtension.Tests";

    // The rows of the script.
    private static readonly int[][] Rows =
    [
        [1, 5, 7, 9, 2], [4, 4, 8], [3, 6, 12, 18, 11, 10, 2, 17, 14], [15, 16], [13, 0, 2, 5, 7, 7], [8, 9, 10, 11], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [17, 3, 17],
        [6, 6], [5, 18, 2, 9], [12, 1, 0, 4, 13, 16, 8], [7, 2, 2, 11, 3], [14, 10, 6], [9, 1, 15, 0, 18, 3, 5, 12], [2, 7], [16, 4, 11, 8, 13],
        [0, 1, 2, 3], [18, 17, 16, 15, 14, 13], [5, 9, 5, 9, 5], [10, 12],
    ];

    private static AdamWOptions Early2025 => new() { Beta2 = 0.999, WeightDecay = 0.1, DecayRule = WeightDecayRule.All, DecayExclusions = ["*bias*", "*layernorm*", "*rmsnorm*"] };

    [TestMethod]
    [DataRow(1000)]
    [DataRow(8)]
    public void Five_steps_give_the_weights_of_Hugging_Faces_trainer(int tokensPerMicroBatch) => Assert.IsLessThan(2e-6, Difference(options => options.Batching = new() { MaximumTokensPerMicroBatch = tokensPerMicroBatch }));

    // The only difference that was found to the real trainer: whether the last norm decays.
    [TestMethod]
    public void The_decay_of_the_last_norm_shows()
    {
        foreach (WeightDecayRule rule in new[] { WeightDecayRule.Matrices, WeightDecayRule.HuggingFace })
            Assert.IsGreaterThan(1e-3, Difference(options => options.Optimizer = Early2025 with { DecayRule = rule }), $"{rule}");
    }

    [TestMethod]
    public void So_does_the_order_of_the_rows() => Assert.IsGreaterThan(1e-3, Difference(options => options.RowOrder = RowOrder.Shuffled));

    [TestMethod]
    public void So_do_a_beginning_and_an_end_that_the_rows_do_not_have() => Assert.IsGreaterThan(1e-3, Difference(options => options.Columns = InputColumns.TokenIds("Ids")));

    // The largest difference of a weight.
    private static double Difference(Action<CausalLanguageModelTrainer.Options> change)
    {
        using TemporaryFolder folder = new();
        MLContext mlContext = new(seed: 1);
        var options = new CausalLanguageModelTrainer.Options
        {
            Columns = InputColumns.TokenIds("Ids", addBeginning: false, addEnd: false),
            Model = LanguageModel.Pretrained(Path.Combine(SourceTree.Root, GoldenFolder, "Models/Golden/mixtral")),
            BatchSize = 4,
            LearningRate = 1e-2,
            RowOrder = RowOrder.AsGiven,
            Optimizer = Early2025,
            Schedule = new() { WarmupSteps = 0, MinimumLearningRateRatio = 0 },
        };
        change(options);
        IDataView rows = mlContext.Data.LoadFromEnumerable(Rows.Select(ids => new Row { Ids = ids }).ToList());
        using (var model = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options).Fit(rows))
        {
            Assert.AreEqual(5, model.Training!.Steps);
            model.SaveAsHuggingFace(folder["trained"]);
        }

        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> trained = GoldenLogitsTests.ReadFile(Path.Combine(folder["trained"], "model.safetensors"));
        Dictionary<string, Tensor> expected = GoldenLogitsTests.ReadFile(Path.Combine(SourceTree.Root, GoldenFolder, "Training/Golden/mixtral-steps.safetensors"));
        CollectionAssert.AreEquivalent(expected.Keys.ToArray(), trained.Keys.ToArray());
        return expected.Max(pair => (trained[pair.Key].to(float64) - pair.Value).abs().max().ToDouble());
    }

    private sealed class Row
    {
        [VectorType]
        public int[] Ids { get; set; } = [];
    }
}
