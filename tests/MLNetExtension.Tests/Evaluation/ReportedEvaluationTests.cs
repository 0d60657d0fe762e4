using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tests.Evaluation;

/// <summary>Evaluation bugs that other trainers shipped, on a tiny model and rows of very unequal length.</summary>
[TestClass]
public sealed class ReportedEvaluationTests
{
    // transformers #35078, #45994, trl #7100: with two or more processes the evaluation loss came out multiplied by their number. Each part here is scored as a process
    // would score it, its sums handed to one accumulator.
    // Seen to fail with: the last row's tokens for those of all; the sum divided by the rows.
    [TestMethod]
    [DataRow(1)]
    [DataRow(2)]
    [DataRow(3)]
    [DataRow(8)]
    public void The_loss_of_a_set_scored_in_parts_is_that_of_the_set(int parts)
    {
        using Gpt2Model model = TinyModels.Gpt2();
        TokenExample[] rows = Rows();
        IReadOnlyList<RowScore> whole = new RowScorer(model).Score(rows);
        CausalLanguageModelMetrics expected = Metrics(whole);
        Assert.AreEqual(whole.Sum(score => score.LossSum) / whole.Sum(score => score.TokenCount), expected.Loss, 1e-12 * expected.Loss);

        IReadOnlyList<RowScore>[] scores = [.. Enumerable.Range(0, parts).Select(part => new RowScorer(model).Score([.. rows.Where((_, row) => row % parts == part)]))];
        CausalLanguageModelMetrics actual = Metrics(scores.SelectMany(part => part));

        Assert.AreEqual(expected.Loss, actual.Loss, 1e-12 * expected.Loss);
        Assert.AreEqual(expected.Perplexity, actual.Perplexity, 1e-11 * expected.Perplexity);
        Assert.AreEqual(expected.BitsPerByte, actual.BitsPerByte, 1e-12 * expected.BitsPerByte);
        Assert.AreEqual((expected.Tokens, expected.Bytes, expected.Rows), (actual.Tokens, actual.Bytes, actual.Rows));
        double meanOfParts = scores.Where(part => part.Any(score => score.TokenCount > 0)).Average(part => Metrics(part).Loss);
        Assert.AreEqual(parts > 1, Math.Abs(meanOfParts / expected.Loss - 1) > 1e-3, "the control: the mean of the parts' losses is another number");
    }

    // transformers #39241, #24839: the evaluation loss depended on the batch size, because batches' means were averaged.
    // Seen to fail with: rows of a micro-batch given each other's losses.
    [TestMethod]
    [DataRow(1)]
    [DataRow(25)]
    [DataRow(70)]
    public void Every_metric_is_the_same_whatever_the_batch_size(int maximumTokens)
    {
        using Gpt2Model model = TinyModels.Gpt2();
        CausalLanguageModelMetrics expected = Metrics(new RowScorer(model).Score(Rows())), actual = Metrics(new RowScorer(model, maximumTokens).Score(Rows()));

        Assert.AreEqual(expected.Loss, actual.Loss, 1e-12 * expected.Loss);
        Assert.AreEqual(expected.Perplexity, actual.Perplexity, 1e-11 * expected.Perplexity);
        Assert.AreEqual(expected.BitsPerToken, actual.BitsPerToken, 1e-12 * expected.BitsPerToken);
        Assert.AreEqual(expected.BitsPerByte, actual.BitsPerByte, 1e-12 * expected.BitsPerByte);
        Assert.AreEqual((expected.Tokens, expected.Bytes, expected.Rows), (actual.Tokens, actual.Bytes, actual.Rows));
    }

    // Liger, CCE: token accuracy or loss of an empty set is NaN.
    // Seen to fail with: the error left out, so that the loss is 0 / 0.
    [TestMethod]
    public void A_set_whose_targets_are_all_masked_is_an_error_that_counts_its_rows()
    {
        using Gpt2Model model = TinyModels.Gpt2();
        IReadOnlyList<RowScore> scores = new RowScorer(model).Score([.. Rows().Where(row => row.TargetCount == 0)]);

        InvalidOperationException error = Assert.ThrowsExactly<InvalidOperationException>(() => Metrics(scores));

        Assert.Contains($"none of the {scores.Count} rows has a target token", error.Message);
    }

    private static CausalLanguageModelMetrics Metrics(IEnumerable<RowScore> scores)
    {
        MetricsAccumulator accumulator = new();
        foreach (RowScore score in scores)
            accumulator.Add(score);
        return accumulator.ToMetrics();
    }

    private static TokenExample[] Rows()
    {
        TokenExampleEncoder encoder = new(new ByteLevelTokenizer(), TinyModels.ContextLength);
        string[] texts = ["a", "A sentence that fills the context.", "€", "", "some words", "0123456789", "a prompt and no more", "x"];
        return [.. texts.Select((text, row) => encoder.Encode(new TextRow(text.StartsWith("a prompt") ? text + " at all, cut" : "", text), row))];
    }
}
