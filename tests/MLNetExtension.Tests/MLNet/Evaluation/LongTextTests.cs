using System.Text;
using Microsoft.ML;
using MLNetExtension.Evaluation;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.Evaluation;
using MLNetExtension.Tests.Training.Ranks;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tests.MLNet.Evaluation;

[TestClass]
public sealed class LongTextTests
{
    private const int T = TinyModels.ContextLength;

    private static readonly MLContext Context = new(seed: 1);

    private static readonly string Text = string.Concat(Enumerable.Range(0, 40).Select(i => ((string[])["the ", "cät ", "sat. ", "漢"])[i * i % 7 % 4]));

    // Where a token stands in the text says alone from which tokens it is predicted: the context moves on, by the stride, as often as it must to reach the token.
    [TestMethod]
    [DataRow(1)]
    [DataRow(7)]
    [DataRow(12)]
    [DataRow(T)]
    public void Each_token_has_the_loss_of_a_forward_pass_over_the_context_that_the_stride_leaves_it(int stride)
    {
        using Gpt2Model network = TinyModels.Gpt2();
        var tokenizer = new ByteLevelTokenizer();
        int[] tokens = [ByteLevelTokenizer.EndOfTextId, .. tokenizer.EncodeText(Text), ByteLevelTokenizer.EndOfTextId];
        double loss = 0;
        for (int target = 1; target < tokens.Length; target++)
        {
            int moves = Math.Max(0, (target - T + stride - 1) / stride);
            loss -= TinyTransformers.LogProbabilityOfLast(network, tokens[(moves * stride)..(target + 1)]);
        }

        using var model = TinyTransformers.Create(network);
        CausalLanguageModelMetrics metrics = Context.CausalLanguageModeling.EvaluateLongText(model, Text, stride);

        Assert.AreEqual(loss / (tokens.Length - 1), metrics.Loss, 1e-12 * metrics.Loss);
        Assert.AreEqual((tokens.Length - 1L, (long)Encoding.UTF8.GetByteCount(Text), 1L), (metrics.Tokens, metrics.Bytes, metrics.Rows));
        Assert.AreEqual(loss / Encoding.UTF8.GetByteCount(Text) / Math.Log(2), metrics.BitsPerByte, 1e-12 * metrics.BitsPerByte);
    }

    [TestMethod]
    public void The_stride_is_half_of_the_context_where_none_is_given()
    {
        using var model = TinyTransformers.Create(TinyModels.Gpt2());
        Assert.AreEqual(Context.CausalLanguageModeling.EvaluateLongText(model, Text, T / 2).Loss, Context.CausalLanguageModeling.EvaluateLongText(model, Text).Loss);
        Assert.AreNotEqual(Context.CausalLanguageModeling.EvaluateLongText(model, Text, T).Loss, Context.CausalLanguageModeling.EvaluateLongText(model, Text).Loss);
    }

    [TestMethod]
    public void Texts_that_fit_the_context_have_the_metrics_of_rows()
    {
        using var model = TinyTransformers.Create(TinyModels.Gpt2());
        Row[] rows = [.. Enumerable.Range(0, 30).Select(i => new Row { Text = Text[i..(i + i % 16)] })];
        IDataView data = Context.Data.LoadFromEnumerable(rows);
        CausalLanguageModelMetrics expected = Context.CausalLanguageModeling.Evaluate(model.Transform(data)), metrics = Context.CausalLanguageModeling.EvaluateLongText(model, data, stride: 5);
        Assert.AreEqual(expected.Loss, metrics.Loss, 1e-6 * expected.Loss);    // columns of losses are float32
        Assert.AreEqual((expected.Tokens, expected.Bytes, expected.Rows, expected.Accuracy), (metrics.Tokens, metrics.Bytes, metrics.Rows, metrics.Accuracy));
    }

    [TestMethod]
    public void Texts_are_measured_each_by_itself_and_added_up()
    {
        using var model = TinyTransformers.Create(TinyModels.Gpt2());
        string[] texts = [Text, Text[20..70], "", Text[3..]];
        CausalLanguageModelMetrics[] alone = [.. texts.Select(text => Context.CausalLanguageModeling.EvaluateLongText(model, text, 9))];
        CausalLanguageModelMetrics all = Context.CausalLanguageModeling.EvaluateLongText(model, Context.Data.LoadFromEnumerable(texts.Select(text => new Row { Text = text })), stride: 9);
        Assert.AreEqual(alone.Sum(one => one.Loss * one.Tokens) / alone.Sum(one => one.Tokens), all.Loss, 1e-12 * all.Loss);
        Assert.AreEqual((alone.Sum(one => one.Tokens), alone.Sum(one => one.Bytes), 4L), (all.Tokens, all.Bytes, all.Rows));
        Assert.AreEqual(alone.Sum(one => one.Accuracy * one.Tokens) / all.Tokens, all.Accuracy, 1e-12);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(50)]
    public void How_many_examples_are_scored_together_changes_nothing(int tokensTogether)
    {
        using CausalLanguageModelTransformer model = TinyTransformers.Create(TinyModels.Gpt2()), other = TinyTransformers.Create(TinyModels.Gpt2(), tokensTogether);
        double expected = Context.CausalLanguageModeling.EvaluateLongText(model, Text, 5).Loss;
        Assert.AreEqual(expected, Context.CausalLanguageModeling.EvaluateLongText(other, Text, 5).Loss, 1e-12 * expected);
    }

    [TestMethod]
    public void Ranks_score_a_share_of_a_text_each_and_get_the_same_metrics_as_one()
    {
        using var alone = TinyTransformers.Create(TinyModels.Gpt2());
        CausalLanguageModelMetrics expected = Context.CausalLanguageModeling.EvaluateLongText(alone, Text, 5);
        foreach (CausalLanguageModelMetrics metrics in ThreadRankGroup.Run(3, ranks =>
        {
            using var model = TinyTransformers.Create(TinyModels.Gpt2(), ranks: ranks);
            return Context.CausalLanguageModeling.EvaluateLongText(model, Text, 5);
        }))
        {
            Assert.AreEqual(expected.Loss, metrics.Loss, 1e-12 * expected.Loss);
            Assert.AreEqual((expected.Tokens, expected.Bytes, expected.Rows, expected.Accuracy), (metrics.Tokens, metrics.Bytes, metrics.Rows, metrics.Accuracy));
        }
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(T + 1)]
    public void A_stride_that_leaves_tokens_out_is_refused(int stride)
    {
        using var model = TinyTransformers.Create(TinyModels.Gpt2());
        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Context.CausalLanguageModeling.EvaluateLongText(model, Text, stride));
        Assert.Contains($"stride is {stride}; allowed is from 1 to 24, the model's context.", error.Message);
    }

    [TestMethod]
    public void Transformers_before_the_model_are_applied_to_the_text()
    {
        var lower = Context.Transforms.Text.NormalizeText("Text", caseMode: Microsoft.ML.Transforms.Text.TextNormalizingEstimator.CaseMode.Lower);
        using var model = lower.Append(Context.CausalLanguageModeling.Trainers.CausalLanguageModel(Tiny.Options())).Fit(Tiny.Rows(Context, Tiny.Texts));
        string text = string.Join(" ", Tiny.Texts);
        Assert.AreEqual(Context.CausalLanguageModeling.EvaluateLongText(model, text).Loss, Context.CausalLanguageModeling.EvaluateLongText(model, text.ToUpperInvariant()).Loss);
    }

    [TestMethod]
    public void Data_without_rows_or_with_another_column_is_refused()
    {
        using var model = TinyTransformers.Create(TinyModels.Gpt2());
        Assert.ThrowsExactly<InvalidOperationException>(() => Context.CausalLanguageModeling.EvaluateLongText(model, Context.Data.LoadFromEnumerable<Row>([])));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Context.CausalLanguageModeling.EvaluateLongText(model, Context.Data.LoadFromEnumerable<Row>([]), "Body"));
    }

    private sealed class Row
    {
        public string Text { get; set; } = "";
    }
}
