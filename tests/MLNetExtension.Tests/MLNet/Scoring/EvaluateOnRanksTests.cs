using System.Collections.Concurrent;
using Microsoft.ML;
using MLNetExtension.Evaluation;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.Evaluation;
using MLNetExtension.Tests.Training.Ranks;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Training.Ranks;

namespace MLNetExtension.Tests.MLNet.Scoring;

[TestClass]
public sealed class EvaluateOnRanksTests
{
    private const int Count = 900;    // four blocks, the last of them short

    private static readonly MLContext Context = new(seed: 1);

    // Seen to fail with: the sums of one rank taken for those of all.
    [TestMethod]
    [DataRow(2, false)]
    [DataRow(3, true)]
    [DataRow(5, false)]
    public void Ranks_score_a_share_each_and_get_the_same_metrics_as_one(int size, bool weighted)
    {
        using Gpt2Model network = TinyModels.Gpt2();
        CausalLanguageModelMetrics alone = Evaluate(network, Rows(), SingleRank.Instance, weighted);
        ConcurrentDictionary<int, long> tokens = [];

        CausalLanguageModelMetrics[] metrics = ThreadRankGroup.Run(size, ranks =>
        {
            using Gpt2Model own = TinyModels.Gpt2();
            TinyModels.FirstLayer(own.Blocks[0]).register_forward_pre_hook((_, hidden) =>
            {
                long positions = hidden.numel() / hidden.shape[^1];
                tokens.AddOrUpdate(ranks.Rank, positions, (_, sum) => sum + positions);
                return hidden;
            });
            return Evaluate(own, Rows(), ranks, weighted);
        });

        foreach (CausalLanguageModelMetrics one in metrics)
        {
            Assert.AreEqual(alone.Loss, one.Loss, 1e-12 * alone.Loss);
            Assert.AreEqual((alone.Tokens, alone.Bytes, alone.Rows), (one.Tokens, one.Bytes, one.Rows));
            Assert.AreEqual(alone.TokenWeight, one.TokenWeight, 1e-12 * alone.TokenWeight);
            Assert.AreEqual(alone.Accuracy, one.Accuracy, 1e-12);
            Assert.AreEqual(metrics[0].Loss, one.Loss, "bit for bit");
        }
        Assert.HasCount(Math.Min(size, 4), tokens, "who has a block scores");
        long all = Rows().Sum(row => Math.Min(row.Text.Length + 1L, TinyModels.ContextLength));
        Assert.IsLessThanOrEqualTo(all, tokens.Values.Sum(), "no row is scored twice");
    }

    [TestMethod]
    public void The_rank_that_fails_says_why_and_the_others_say_which()
    {
        Row[] rows = Rows();
        rows[300].Weight = -1;    // in the second block, that of rank 1

        var errors = Assert.ThrowsExactly<AggregateException>(() => ThreadRankGroup.Run(3, ranks =>
        {
            using Gpt2Model network = TinyModels.Gpt2();
            Evaluate(network, rows, ranks, weighted: true);
        })).InnerExceptions;

        Assert.HasCount(3, errors);
        string alone = Assert.ThrowsExactly<InvalidOperationException>(() =>
        {
            using Gpt2Model network = TinyModels.Gpt2();
            Evaluate(network, rows, SingleRank.Instance, weighted: true);
        }).Message;
        Assert.Contains("300", alone);
        Assert.AreEqual(alone, errors[1].Message);
        Assert.AreEqual($"Rank 1 of 3 failed: {alone}", errors[0].Message);
        Assert.AreEqual(errors[0].Message, errors[2].Message);
    }

    [TestMethod]
    public void Columns_that_are_computed_already_are_read_by_every_rank_without_a_word_to_the_others()
    {
        CausalLanguageModelMetrics[] metrics = ThreadRankGroup.Run(2, ranks =>
        {
            using Gpt2Model network = TinyModels.Gpt2();
            using var model = Model(network, ranks);
            IDataView scored = Context.Data.Cache(model.Transform(Data(Rows()[..40])), "LossSum", "TokenCount", "ByteCount", "CorrectCount");
            CausalLanguageModelMetrics result = Context.CausalLanguageModeling.Evaluate(scored);
            Assert.IsEmpty(ranks.Calls);
            return result;
        });
        Assert.AreEqual(40, metrics[1].Rows);
        Assert.AreEqual(metrics[0].Loss, metrics[1].Loss);
    }

    private static CausalLanguageModelMetrics Evaluate(Gpt2Model network, Row[] rows, IRankGroup ranks, bool weighted)
    {
        using var model = Model(network, ranks);
        return Context.CausalLanguageModeling.Evaluate(model.Transform(Data(rows)), exampleWeightColumnName: weighted ? nameof(Row.Weight) : null);
    }

    // Does not dispose the network twice: a module may be disposed again.
    private static CausalLanguageModelTransformer Model(Gpt2Model network, IRankGroup ranks) =>
        new(new TrainedLanguageModel(network, new ByteLevelTokenizer()), new CausalLanguageModelTrainer.Options(), null, ranks);

    private static IDataView Data(Row[] rows) => Context.Data.LoadFromEnumerable(rows);

    private static Row[] Rows() => [.. Enumerable.Range(0, Count).Select(i => new Row { Text = new string((char)('a' + i % 26), i % 9), Weight = 1 + i % 3 })];

    private sealed class Row
    {
        public string Text { get; set; } = "";

        public float Weight { get; set; }
    }
}
