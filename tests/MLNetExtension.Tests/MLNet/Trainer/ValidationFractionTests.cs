using Microsoft.ML;
using MLNetExtension.Data;
using MLNetExtension.MLNet.Trainer;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tokenization.Bytes;
using static MLNetExtension.Tests.MLNet.Tiny;

namespace MLNetExtension.Tests.MLNet.Trainer;

/// <summary>A share of the rows given to <c>Fit</c> is held out.</summary>
[TestClass]
public sealed class ValidationFractionTests
{
    [TestMethod]
    public void Which_rows_are_held_out_depends_on_seed_and_position_alone()
    {
        (long[] kept, long[] held) = Positions(2000, 0.1);

        CollectionAssert.AreEqual(Enumerable.Range(0, 2000).Select(i => (long)i).ToArray(), kept.Concat(held).Order().ToArray());
        Assert.AreEqual(200, held.Length, 54, "four standard deviations");
        CollectionAssert.AreEqual(held, Positions(2000, 0.1).Held);
        CollectionAssert.AreEqual(held.Where(position => position < 700).ToArray(), Positions(700, 0.1).Held, "rows that come later change nothing");
        Assert.IsTrue(held.All(Positions(2000, 0.2).Held.Contains), "a larger share adds rows");
        CollectionAssert.AreNotEqual(held, Positions(2000, 0.1, seed: 6).Held);
    }

    // The oracle is the trainer itself, given the two parts by hand; rows are weighted, so that a weight left out would show.
    [TestMethod]
    public void Holding_out_a_share_is_training_on_the_other_rows_with_these_for_validation()
    {
        var mlContext = new MLContext(seed: 1);
        WeightedText[] rows = [.. Enumerable.Range(0, 20).Select(i => new WeightedText { Text = Texts[i % 8] + i, Weight = 1 + i % 3 })];
        (long[] kept, long[] held) = Positions(20, 0.3);
        List<string> lines = LogOf(mlContext);

        using var shared = Fit(new() { Fraction = 0.3, Interval = 2 }, rows);
        using var parted = Fit(new() { Rows = Load([.. held.Select(i => rows[i])]), Interval = 2 }, [.. kept.Select(i => rows[i])]);

        Assert.AreEqual(parted.Training!.ValidationLoss, shared.Training!.ValidationLoss);
        Assert.AreEqual(parted.Training.TargetTokens, shared.Training.TargetTokens);
        CollectionAssert.AreEqual(Score(mlContext, parted, Rows(mlContext, Texts)).Select(row => row.LossSum).ToArray(), Score(mlContext, shared, Rows(mlContext, Texts)).Select(row => row.LossSum).ToArray());
        Assert.AreNotEqual(0, held.Length);
        Assert.ContainsSingle(line => line.Contains($"Validating every 2 steps on {held.Length} rows held out of the training data (Validation.Fraction is 0.3)"), lines);

        IDataView Load(WeightedText[] data) => mlContext.Data.LoadFromEnumerable(data);

        CausalLanguageModelTransformer Fit(ValidationOptions validation, WeightedText[] data)
        {
            var options = Tiny.Options(steps: 5);
            options.Columns = InputColumns.Text("Text", weight: nameof(WeightedText.Weight));
            options.Validation = validation;
            options.Batching = new() { MaximumTokensPerMicroBatch = 100, Threads = 1 };
            return mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options).Fit(Load(data));
        }
    }

    // A set of Rows does not have the column that a transform before the trainer makes.
    [TestMethod]
    public void What_stands_before_the_trainer_applies_to_the_rows_held_out()
    {
        var mlContext = new MLContext(seed: 1);
        var rows = Rows(mlContext, [.. Texts, .. Texts]);
        var options = Tiny.Options();
        options.Columns = InputColumns.Text("Made");
        options.Validation = new() { Fraction = 0.4 };
        using var model = (IDisposable)mlContext.Transforms.CopyColumns("Made", "Text").Append(mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options)).Fit(rows);

        options.Validation = new() { Rows = rows };
        Assert.Contains("Could not find text column 'Made'", Assert.Throws<Exception>(() =>
            mlContext.Transforms.CopyColumns("Made", "Text").Append(mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options)).Fit(rows)).Message);
    }

    [TestMethod]
    public void Chats_are_held_out_too()
    {
        using TemporaryFolder folder = new();
        var mlContext = new MLContext(seed: 1);
        var options = Tiny.Options();
        options.Model = LanguageModel.Pretrained(PublishedModel.Write(folder["published"]));
        options.Columns = InputColumns.Chat();
        options.Validation = new() { Fraction = 0.4, Interval = 1 };
        var chats = mlContext.Data.LoadFromEnumerable(Enumerable.Range(0, 12).Select(i => new { Messages = $$"""[{"role":"user","content":"{{i}}"},{"role":"assistant","content":"reply {{i}}"}]""" }));
        using var model = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options).Fit(chats);
        Assert.IsNotNull(model.Training!.ValidationLoss);
    }

    [TestMethod]
    public void A_checkpoint_resumes_with_the_same_share_and_with_no_other()
    {
        using TemporaryFolder folder = new();
        Fit(0.4, steps: 4).Dispose();
        using var resumed = Fit(0.4, steps: 6);
        Assert.AreEqual(2, resumed.Training!.Steps);
        Assert.Contains("the training data is", Assert.ThrowsExactly<InvalidOperationException>(() => Fit(0.7, steps: 8)).Message);

        CausalLanguageModelTransformer Fit(double fraction, int steps)
        {
            var mlContext = new MLContext(seed: 1);
            var options = Tiny.Options(steps);
            (options.Validation, options.Checkpoints) = (new() { Fraction = fraction }, new() { Folder = folder.Path });
            return mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options).Fit(Rows(mlContext, [.. Texts, .. Texts]));
        }
    }

    [TestMethod]
    [DataRow(0.0, false, "Validation.Fraction is 0; allowed is above 0 and below 1.")]
    [DataRow(1.0, false, "Validation.Fraction is 1; allowed is above 0 and below 1.")]
    [DataRow(double.NaN, false, "Validation.Fraction is NaN; allowed is above 0 and below 1.")]
    [DataRow(0.5, true, "Validation.Fraction is 0.5; allowed is null beside Validation.Rows.")]
    [DataRow(null, false, "Validation.Fraction is null; allowed is a number, where Validation.Rows is null.")]
    public void Exactly_one_of_rows_and_a_fraction_between_0_and_1_is_given(double? fraction, bool rows, string expected)
    {
        var mlContext = new MLContext(seed: 1);
        var options = Tiny.Options();
        options.Validation = new() { Rows = rows ? Rows(mlContext, Texts) : null, Fraction = fraction };
        Assert.Contains(expected, Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options)).Message);
    }

    [TestMethod]
    [DataRow(1e-9, "What is held out of the 8 rows of the training data by Validation.Fraction (1E-09) has no rows")]
    [DataRow(1 - 1e-9, "What is not held out of the 8 rows of the training data by Validation.Fraction (0.999999999) has no rows")]
    public void A_side_without_a_row_is_an_error_that_names_the_option(double fraction, string expected)
    {
        var mlContext = new MLContext(seed: 1);
        var options = Tiny.Options();
        options.Validation = new() { Fraction = fraction };
        Assert.Contains(expected, Assert.ThrowsExactly<InvalidOperationException>(() => Train(mlContext, options)).Message);
    }

    private static (long[] Kept, long[] Held) Positions(int rows, double fraction, int seed = 5)
    {
        var options = Tiny.Options();
        (options.Seed, options.Validation) = (seed, new() { Fraction = fraction });
        using TrainingRows read = TrainingRows.Read(Rows(new MLContext(seed: 1), Enumerable.Repeat("x", rows)), options, new TokenExampleEncoder(new ByteLevelTokenizer(), 8), new(), CancellationToken.None);
        return ([.. read.Rows.Examples.Select(row => row.Position)], [.. read.Validation!.Rows.Examples.Select(row => row.Position)]);
    }

    private sealed class WeightedText
    {
        public string Text { get; set; } = "";

        public float Weight { get; set; }
    }
}
