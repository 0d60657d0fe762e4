using Microsoft.ML;
using MLNetExtension.Models;
using MLNetExtension.Tests.Evaluation;
using MLNetExtension.Training.Preference;
using MLNetExtension.Training.Reports;

namespace MLNetExtension.Tests.MLNet.Preference;

/// <summary>What the reference says is computed once, before the first step, and whoever ends the training meanwhile does not wait for it.</summary>
[TestClass]
public sealed class ReferenceTests
{
    private const int Rows = 12;

    // By the positions that pass through the model in evaluation mode: both rows of every pair, once, however many epochs follow.
    [TestMethod]
    [DataRow("DPO", 1)]
    [DataRow("DPO", 7)]
    [DataRow("SimPO", 3)]
    public void Each_row_is_scored_with_the_reference_once(string method, int steps)
    {
        var mlContext = new MLContext(seed: 1);
        using var start = Train(mlContext);
        long positions = 0;
        var options = Options(start, steps);
        if (method == "SimPO")
            options.Method = PreferenceMethod.SimPo();
        options.OnStart = Watch(count => positions += count);
        using var model = mlContext.CausalLanguageModeling.Trainers.Preference(options).Fit(Pairs(mlContext));
        Assert.AreEqual(steps, model.Training!.Steps);
        // Each row begins with a token of its own, and its last token, the end of the text, is a target alone.
        Assert.AreEqual(method == "SimPO" ? 0 : AllPairs.Sum(pair => 2L * (pair.Prompt.Length + 1) + pair.Chosen.Length + pair.Rejected.Length), positions);
    }

    // The last is in the rows of the validation, which without a reference is not made. Seen to fail with: it was made all the same, of rewards of a part of the rows.
    [TestMethod]
    [DataRow(true, 1)]
    [DataRow(false, 1)]
    [DataRow(true, 5)]
    [DataRow(false, 5)]
    [DataRow(true, 2 * Rows + 2)]
    [DataRow(false, 2 * Rows + 2)]
    public void Measuring_the_reference_ends_with_the_rows_that_are_in_the_model(bool cancel, int last)
    {
        var mlContext = new MLContext(seed: 1);
        using var start = Train(mlContext);
        using CancellationTokenSource source = new();
        int calls = 0;
        var options = Options(start, steps: 3);
        options.Validation = new() { Rows = Pairs(mlContext), Interval = 1 };
        options.CancellationToken = cancel ? source.Token : default;
        options.StopToken = cancel ? default : source.Token;
        options.OnStart = Watch(_ =>
        {
            if (++calls == last)
                source.Cancel();
        });
        PreferenceTrainer trainer = mlContext.CausalLanguageModeling.Trainers.Preference(options);
        if (cancel)
        {
            Assert.ThrowsExactly<OperationCanceledException>(() => trainer.Fit(Pairs(mlContext)));
        }
        else
        {
            using var model = trainer.Fit(Pairs(mlContext));
            Assert.AreEqual((StopReason.Requested, 0, null), (model.Training!.End, model.Training.Steps, model.Training.ValidationLoss));
        }
        Assert.AreEqual(last, calls);
    }

    // A model whose norms are layers that are called.
    private static CausalLanguageModelTransformer Train(MLContext mlContext)
    {
        CausalLanguageModelTrainer.Options options = Tiny.Options();
        options.Model = LanguageModel.Gpt2(layers: 1, heads: 2, width: 12, contextLength: 64);
        return Tiny.Train(mlContext, options);
    }

    // Rows go through the model one by one, and are counted where it is in evaluation mode: the two passes of a step are not.
    private static Action<CausalLanguageModelTransformer> Watch(Action<long> count) => transformer =>
    {
        CausalLanguageModel network = transformer.Scoring.Model.Network;
        TinyModels.FirstLayer(network.Blocks[0]).register_forward_pre_hook((_, hidden) =>
        {
            if (!network.training)
                count(hidden.numel() / hidden.shape[^1]);
            return hidden;
        });
    };

    private static PreferenceTrainer.Options Options(CausalLanguageModelTransformer start, int steps) => new()
    {
        Model = LanguageModel.Trained(start),
        BatchSize = 4,
        MaximumSteps = steps,
        Batching = new() { MaximumTokensPerMicroBatch = 1, Threads = 1 },
        Seed = 5,
    };

    private static readonly Pair[] AllPairs = [.. Enumerable.Range(0, Rows).Select(i => new Pair { Prompt = new string('p', i), Chosen = $"{i}", Rejected = $"not {i}" })];

    private static IDataView Pairs(MLContext mlContext) => mlContext.Data.LoadFromEnumerable(AllPairs);

    private sealed class Pair
    {
        public string Prompt { get; set; } = "";

        public string Chosen { get; set; } = "";

        public string Rejected { get; set; } = "";
    }
}
