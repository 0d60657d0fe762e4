using Microsoft.ML;
using MLNetExtension.Data;
using MLNetExtension.Tests.Samples;
using static MLNetExtension.Tests.MLNet.Tiny;

namespace MLNetExtension.Tests.MLNet.Trainer;

/// <summary>Trainings on rows that are longer than the context.</summary>
[TestClass]
public sealed class LongRowsTrainingTests
{
    // "a much longer text": 18 bytes and an end are 19 targets, in pieces of 8.
    private static readonly string[] Rows = ["fits", "a much longer text"];

    // On the old code: 13 target tokens, and a warning that 1 of 2 rows is truncated.
    [TestMethod]
    public void The_whole_of_a_text_is_trained_on()
    {
        (long tokens, List<string> lines) = Fit(InputColumns.Text(), null);
        Assert.AreEqual(5 + 19, tokens);
        Assert.ContainsSingle(line => line.Contains("1 of 2 rows are longer than 8 tokens and are split into 3 (option LongRows)"), lines);
        Assert.ContainsSingle(line => line.Contains("2 rows, 24 target tokens"), lines);
        Assert.IsFalse(lines.Any(line => line.Contains("truncated")));
    }

    [TestMethod]
    public void It_is_truncated_with_a_warning_where_that_is_asked_for()
    {
        (long tokens, List<string> lines) = Fit(InputColumns.Text(), LongRows.Truncate);
        Assert.AreEqual(5 + 8, tokens);
        Assert.ContainsSingle(line => line.Contains("Warning") && line.Contains("1 of 2 rows are truncated to 8 tokens"), lines);
    }

    [TestMethod]
    [DataRow(null, 13L)]
    [DataRow(LongRows.Truncate, 13L)]
    [DataRow(LongRows.Split, 24L)]
    public void A_completion_is_truncated_unless_it_is_to_be_split(LongRows? longRows, long expected)
    {
        (long tokens, List<string> lines) = Fit(InputColumns.PromptCompletion("Empty", "Text"), longRows);
        Assert.AreEqual(expected, tokens);
        Assert.ContainsSingle(line => line.Contains(longRows == LongRows.Split ? "are split into 3" : "are truncated to 8 tokens"), lines);
    }

    [TestMethod]
    public void Something_else_is_refused_by_name()
    {
        var options = Options();
        options.LongRows = (LongRows)7;
        StringAssert.StartsWith(Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new MLContext(seed: 1).CausalLanguageModeling.Trainers.CausalLanguageModel(options)).Message, "LongRows is 7; allowed is Truncate, Split.");
    }

    // A checkpoint of an earlier version, which truncated.
    [TestMethod]
    public void A_checkpoint_of_truncated_texts_is_resumed_with_them_and_without_them_the_error_says_how()
    {
        using TemporaryFolder folder = new();
        Train(LongRows.Truncate, steps: 2);
        InvalidOperationException error = Assert.ThrowsExactly<InvalidOperationException>(() => Train(null, steps: 4));
        StringAssert.Contains(error.Message, "the training data is ");
        StringAssert.Contains(error.Message, "1 rows that are longer than the context are split");
        StringAssert.Contains(error.Message, "LongRows = LongRows.Truncate");
        Assert.AreEqual(2, Train(LongRows.Truncate, steps: 4), "two of the four steps were taken before");

        int Train(LongRows? longRows, int steps)
        {
            var mlContext = new MLContext(seed: 1);
            var options = OptionsOf(longRows);
            options.MaximumSteps = steps;
            options.Checkpoints = new() { Folder = folder["checkpoints"], Interval = 2 };
            using var model = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options).Fit(Tiny.Rows(mlContext, Rows));
            return model.Training!.Steps;
        }
    }

    // Checkpoints of earlier versions go on where no row is long.
    [TestMethod]
    public void A_training_whose_rows_all_fit_is_resumed_whatever_becomes_of_long_rows()
    {
        using TemporaryFolder folder = new();
        foreach ((LongRows? longRows, int steps) in new (LongRows?, int)[] { (LongRows.Truncate, 2), (null, 4), (LongRows.Truncate, 6) })
        {
            var mlContext = new MLContext(seed: 1);
            var options = Options(steps);
            options.LongRows = longRows;
            options.Checkpoints = new() { Folder = folder["checkpoints"], Interval = 2 };
            using var model = Tiny.Train(mlContext, options);
            Assert.AreEqual(2, model.Training!.Steps, "the others were taken before");
        }
    }

    [TestMethod]
    public void A_second_training_with_a_cache_gives_the_same_model_and_the_model_does_not_keep_the_folder()
    {
        using TemporaryFolder folder = new();
        var mlContext = new MLContext(seed: 1);
        float[][] losses = [.. new[] { null, folder["cache"], folder["cache"] }.Select(cache =>
        {
            var options = OptionsOf(null);
            options.TokenCacheFolder = cache;
            using var model = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options).Fit(Tiny.Rows(mlContext, Texts));
            Assert.IsNull(model.Options.TokenCacheFolder);
            return Score(mlContext, model, Tiny.Rows(mlContext, Texts)).Select(row => row.LossSum).ToArray();
        })];
        CollectionAssert.AreEqual(losses[0], losses[1]);
        CollectionAssert.AreEqual(losses[0], losses[2]);
        Assert.HasCount(2, Directory.GetFiles(folder["cache"]));
    }

    private static CausalLanguageModelTrainer.Options OptionsOf(LongRows? longRows)
    {
        var options = Options(steps: 1);
        options.Model = options.Model with { ContextLength = 8 };
        options.LongRows = longRows;
        return options;
    }

    private static (long TargetTokens, List<string> Lines) Fit(InputColumns columns, LongRows? longRows)
    {
        var mlContext = new MLContext(seed: 1);
        List<string> lines = LogOf(mlContext);
        var options = OptionsOf(longRows);
        options.Columns = columns;
        var data = mlContext.Data.LoadFromEnumerable(Rows.Select(text => new PairRow { Text = text }));
        using var model = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options).Fit(data);
        return (model.Training!.TargetTokens, lines);
    }

    private sealed class PairRow
    {
        public string Empty { get; set; } = "";

        public string Text { get; set; } = "";
    }
}
