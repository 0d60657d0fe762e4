using Microsoft.ML;
using MLNetExtension.Evaluation;

namespace MLNetExtension.Tests.MLNet;

[TestClass]
public sealed class PipelineTests
{
    [TestMethod]
    public void A_pipeline_trains_evaluates_saves_and_loads_with_exactly_the_same_metrics()
    {
        var mlContext = new MLContext(seed: 1);
        var data = Tiny.Rows(mlContext, Tiny.Texts);
        var pipeline = mlContext.Transforms.Text.NormalizeText("Text", keepNumbers: true)
            .Append(mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(Tiny.Options()));
        using var model = pipeline.Fit(data);
        var metrics = mlContext.CausalLanguageModeling.Evaluate(model.Transform(data));
        using var archive = new MemoryStream();
        mlContext.Model.Save(model, data.Schema, archive);

        var elsewhere = new MLContext();
        elsewhere.CausalLanguageModeling.RegisterLoader();
        archive.Position = 0;
        var loaded = elsewhere.Model.Load(archive, out var schema);
        var again = elsewhere.CausalLanguageModeling.Evaluate(loaded.Transform(Tiny.Rows(elsewhere, Tiny.Texts)));

        Assert.AreEqual(data.Schema.Count, schema.Count);
        Assert.AreEqual(Tiny.Texts.Length, metrics.Rows);
        AssertSame(metrics, again);
        (loaded as IDisposable)?.Dispose();
    }

    [TestMethod]
    public void Training_lowers_the_loss()
    {
        var mlContext = new MLContext(seed: 1);
        var data = Tiny.Rows(mlContext, Tiny.Texts);
        using var before = Tiny.Train(mlContext, Tiny.Options(steps: 0));
        using var after = Tiny.Train(mlContext, Tiny.Options(steps: 40));

        double untrained = mlContext.CausalLanguageModeling.Evaluate(before.Transform(data)).Loss;
        Assert.AreEqual(Math.Log(257), untrained, 0.2);
        Assert.IsLessThan(untrained - 1, mlContext.CausalLanguageModeling.Evaluate(after.Transform(data)).Loss);
        Assert.AreEqual(40, after.Training!.Steps);
    }

    [TestMethod]
    public void Only_the_completion_is_learnt_and_scored_where_there_are_prompts()
    {
        var mlContext = new MLContext(seed: 1);
        var options = Tiny.Options();
        options.Columns = InputColumns.PromptCompletion("Question", "Answer");
        var data = mlContext.Data.LoadFromEnumerable([new Pair { Question = "How many?", Answer = "five" }, new Pair { Question = "Who?", Answer = "me" }]);

        using var model = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options).Fit(data);
        var scored = mlContext.Data.CreateEnumerable<Tiny.Prediction>(model.Transform(data), reuseRowObject: false).ToList();

        CollectionAssert.AreEqual(new[] { 5, 3 }, scored.ConvertAll(row => row.TokenCount), "the completion's bytes and end-of-text");
        CollectionAssert.AreEqual(new[] { 4, 2 }, scored.ConvertAll(row => row.ByteCount));
    }

    [TestMethod]
    public void Evaluation_is_the_sum_of_the_columns_over_their_counts()
    {
        var mlContext = new MLContext(seed: 1);
        using var model = Tiny.Train(mlContext);
        var data = Tiny.Rows(mlContext, Tiny.Texts);
        var rows = Tiny.Score(mlContext, model, data);

        var metrics = mlContext.CausalLanguageModeling.Evaluate(model.Transform(data));

        double loss = rows.Sum(row => (double)row.LossSum);
        Assert.AreEqual(loss / rows.Sum(row => row.TokenCount), metrics.Loss, 1e-12);
        Assert.AreEqual(loss / Math.Log(2) / rows.Sum(row => row.ByteCount), metrics.BitsPerByte, 1e-12);
        Assert.AreNotEqual(rows.Where(row => row.TokenCount > 0).Average(row => row.LossSum / row.TokenCount), metrics.Loss, 1e-3, "not a mean of means");
    }

    [TestMethod]
    public void Evaluating_no_rows_is_an_error_that_says_so()
    {
        var mlContext = new MLContext(seed: 1);
        using var model = Tiny.Train(mlContext);

        var error = Assert.ThrowsExactly<InvalidOperationException>(() => mlContext.CausalLanguageModeling.Evaluate(model.Transform(Tiny.Rows(mlContext))));

        Assert.Contains("no rows", error.Message);
    }

    [TestMethod]
    public void The_simple_overload_trains_on_the_column_it_names()
    {
        var mlContext = new MLContext(seed: 1);
        var trainer = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel("Nowhere");

        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => trainer.Fit(Tiny.Rows(mlContext, Tiny.Texts)));

        Assert.Contains("Could not find text column 'Nowhere'", error.Message);
    }

    private static void AssertSame(CausalLanguageModelMetrics expected, CausalLanguageModelMetrics actual)
    {
        Assert.AreEqual(expected.Loss, actual.Loss);
        Assert.AreEqual(expected.BitsPerByte, actual.BitsPerByte);
        Assert.AreEqual(expected.Tokens, actual.Tokens);
        Assert.AreEqual(expected.Rows, actual.Rows);
    }

    private sealed class Pair
    {
        public string Question { get; set; } = "";

        public string Answer { get; set; } = "";
    }
}
