using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tokenization.Bytes;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Evaluation;

[TestClass]
public sealed class RowScorerTests
{
    private static readonly IReadOnlyList<TokenExample> Rows = Encode(
        ("", "a"), ("", "Some text that is longer than the context is."), ("System.", "Text"), ("no target fits behind this prompt", "at all"), ("", ""),
        ("x", "日本語"), ("", "a"), ("prompt ", "and completion"), ("", "0123456789"), ("p", ""));

    [TestMethod]
    public void A_score_is_the_log_softmax_of_the_full_logits_at_the_targets()
    {
        using Gpt2Model model = TinyModels.Gpt2();

        IReadOnlyList<RowScore> scores = new RowScorer(model).Score(Rows);

        Assert.HasCount(Rows.Count, scores);
        for (int i = 0; i < Rows.Count; i++)
        {
            var (loss, correct) = ByHand(model, Rows[i]);
            Assert.AreEqual(loss, scores[i].LossSum, 1e-12 * Math.Max(1, scores[i].LossSum), $"row {i}");
            Assert.AreEqual(correct, scores[i].CorrectCount, $"row {i}");
            Assert.AreEqual(Rows[i].Targets.Count(target => target != TokenExample.IgnoredTarget), scores[i].TokenCount);
        }
    }

    [TestMethod] // transformers #39241, #24839, and #35078 for its cousin over processes
    [DataRow(1)]
    [DataRow(30)]
    [DataRow(64)]
    [DataRow(100_000)]
    public void Scores_do_not_depend_on_the_batch_size(int maximumTokens)
    {
        using Gpt2Model model = TinyModels.Gpt2();
        IReadOnlyList<RowScore> expected = new RowScorer(model).Score(Rows);

        IReadOnlyList<RowScore> scores = new RowScorer(model, maximumTokens).Score(Rows);

        for (int i = 0; i < Rows.Count; i++)
            Assert.AreEqual(expected[i].LossSum, scores[i].LossSum, 1e-12 * Math.Max(1, expected[i].LossSum));

        double loss = MetricsOf(scores).Loss;
        Assert.AreEqual(MetricsOf(expected).Loss, loss, 1e-12);
        double meanOfMeans = scores.Where(row => row.TokenCount > 0).Average(row => row.LossSum / row.TokenCount);
        Assert.IsGreaterThan(1e-2, Math.Abs(meanOfMeans - loss), "the control: a mean of rows' means is something else");
    }

    [TestMethod]
    public void A_row_has_its_score_wherever_it_stands_and_however_often()
    {
        using Gpt2Model model = TinyModels.Gpt2();
        var scorer = new RowScorer(model, 40);
        IReadOnlyList<RowScore> scores = scorer.Score(Rows);
        TokenExample[] mixed = [.. Rows.Reverse(), Rows[2]];

        IReadOnlyList<RowScore> again = scorer.Score(mixed);

        for (int i = 0; i < mixed.Length; i++)
            Assert.AreEqual(scores[IndexOf(mixed[i])].LossSum, again[i].LossSum, 1e-11);
    }

    [TestMethod] // trl #6668 and others: NaN, or a forward pass over nothing
    public void Rows_without_a_target_score_nothing()
    {
        using Gpt2Model model = TinyModels.Gpt2();
        TokenExample[] rows = [.. Rows.Where(row => row.TargetCount == 0)];

        Assert.IsNotEmpty(rows);
        foreach (RowScore score in new RowScorer(model).Score(rows))
            Assert.AreEqual(default, score);

        Assert.IsEmpty(new RowScorer(model).Score([]));
    }

    [TestMethod]
    public void In_float32_scores_are_those_of_float64_rounded()
    {
        using Gpt2Model exact = TinyModels.Gpt2();
        using Gpt2Model single = TinyModels.Gpt2(ScalarType.Float32);

        double loss = MetricsOf(new RowScorer(single, 40).Score(Rows)).Loss;

        Assert.AreEqual(MetricsOf(new RowScorer(exact, 40).Score(Rows)).Loss, loss, 1e-5);
        Assert.AreEqual(loss, MetricsOf(new RowScorer(single, 1).Score(Rows)).Loss, 1e-5);
    }

    [TestMethod]
    public void Threads_share_one_scorer()
    {
        using Gpt2Model model = TinyModels.Gpt2();
        var scorer = new RowScorer(model, 40);
        IReadOnlyList<RowScore> expected = scorer.Score(Rows);

        var scores = new IReadOnlyList<RowScore>[8];
        Parallel.For(0, scores.Length, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i => scores[i] = scorer.Score(Rows));

        foreach (IReadOnlyList<RowScore> one in scores)
            CollectionAssert.AreEqual(expected.ToArray(), one.ToArray());
    }

    [TestMethod] // ML.NET #7219, #6579
    public void Scoring_leaves_no_tensors_behind()
    {
        using Gpt2Model model = TinyModels.Gpt2();
        var scorer = new RowScorer(model, 40);
        scorer.Score(Rows);
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;

        for (int i = 0; i < 5; i++)
            scorer.Score(Rows);

        Assert.AreEqual(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [TestMethod]
    public void A_model_can_be_trained_after_it_has_scored()
    {
        using Gpt2Model model = TinyModels.Gpt2();
        new RowScorer(model).Score(Rows);

        model.train();
        using Tensor ids = tensor(new long[] { 256, 65 }, [1, 2]);
        model.call(ids).sum().backward();

        Assert.IsNotNull(model.HeadWeight.grad);
    }

    [TestMethod]
    public void A_model_in_training_mode_is_refused()
    {
        using Gpt2Model model = TinyModels.Gpt2();
        model.train();

        var error = Assert.ThrowsExactly<InvalidOperationException>(() => new RowScorer(model).Score(Rows));
        Assert.Contains("eval()", error.Message);
        Assert.IsTrue(model.training, "the mode is the owner's");
    }

    [TestMethod]
    public void A_budget_of_nothing_is_refused()
    {
        using Gpt2Model model = TinyModels.Gpt2();
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new RowScorer(model, 0));
        Assert.ThrowsExactly<ArgumentNullException>(() => new RowScorer(null!));
    }

    /// <summary>The definition, row by row and number by number: logsumexp of the logits less the target's logit; correct where no logit is higher.</summary>
    private static (double LossSum, int CorrectCount) ByHand(Gpt2Model model, TokenExample row)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        Tensor ids = tensor(row.Ids.Select(id => (long)id).ToArray(), [1, row.Length]);
        double[] logits = model.call(ids).data<double>().ToArray();
        double sum = 0;
        int correct = 0;
        for (int t = 0; t < row.Length; t++)
        {
            if (row.Targets[t] == TokenExample.IgnoredTarget)
                continue;

            ReadOnlySpan<double> z = logits.AsSpan(t * 257, 257);
            double highest = double.NegativeInfinity, exponentials = 0;
            foreach (double logit in z)
                highest = Math.Max(highest, logit);
            foreach (double logit in z)
                exponentials += Math.Exp(logit - highest);
            sum += highest + Math.Log(exponentials) - z[row.Targets[t]];
            if (z[row.Targets[t]] == highest)
                correct++;
        }

        return (sum, correct);
    }

    private static CausalLanguageModelMetrics MetricsOf(IEnumerable<RowScore> scores)
    {
        var accumulator = new MetricsAccumulator();
        foreach (RowScore score in scores)
            accumulator.Add(score);

        return accumulator.ToMetrics();
    }

    private static int IndexOf(TokenExample row) => Rows.Index().First(item => ReferenceEquals(item.Item, row)).Index;

    private static TokenExample[] Encode(params (string Prompt, string Completion)[] rows)
    {
        var encoder = new TokenExampleEncoder(new ByteLevelTokenizer(), TinyModels.ContextLength);
        return [.. rows.Select((row, position) => encoder.Encode(new TextRow(row.Prompt, row.Completion), position))];
    }
}
