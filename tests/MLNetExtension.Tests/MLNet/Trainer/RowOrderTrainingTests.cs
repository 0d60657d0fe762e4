using Microsoft.ML;
using MLNetExtension.Data;
using MLNetExtension.Tests.MLNet.Schema;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training.Reports;

namespace MLNetExtension.Tests.MLNet.Trainer;

/// <summary>Trainings by a curriculum: rows in the order of a column.</summary>
[TestClass]
public sealed class RowOrderTrainingTests
{
    private static readonly float[] Difficulties = [5, 2, 9, 2, 7, 0, 1, 3];

    // Seen to fail with: values by the rows' places in the store, where a row without a weight is not.
    [TestMethod]
    public void Rows_are_visited_in_the_order_of_the_column_in_every_epoch()
    {
        List<StepReport> steps = Train(options => options.MaximumEpochs = 2);
        float[] ascending = [.. Difficulties.Where((_, row) => row != 4).Order()];    // row 4 has no text that is a target
        CollectionAssert.AreEqual(ascending.Concat(ascending).Select(value => (double?)value).ToArray(), steps.Select(step => step.OrderValue).ToArray());
    }

    [TestMethod]
    public void In_the_first_epoch_alone_where_that_is_said()
    {
        List<StepReport> steps = Train(options => (options.MaximumEpochs, options.RowOrder) = (2, RowOrder.Ascending("Single", epochs: 1)));
        double?[] first = [.. steps.Take(7).Select(step => step.OrderValue)], second = [.. steps.Skip(7).Select(step => step.OrderValue)];
        CollectionAssert.AreEqual(first.Order().ToArray(), first);
        CollectionAssert.AreEquivalent(first, second);
        CollectionAssert.AreNotEqual(first, second);
    }

    [TestMethod]
    public void Rows_held_out_and_rows_of_a_cache_keep_their_values()
    {
        using TemporaryFolder folder = new();
        foreach (int time in Enumerable.Range(0, 2))
        {
            List<StepReport> steps = Train(options => (options.MaximumEpochs, options.Validation, options.TokenCacheFolder) = (1, new() { Fraction = 0.3 }, folder.Path));
            double?[] values = [.. steps.Select(step => step.OrderValue)];
            Assert.IsTrue(values.Length is > 1 and < 7, $"{values.Length} rows are trained on");
            CollectionAssert.AreEqual(values.Order().ToArray(), values);
        }
        Assert.IsNotEmpty(folder.Names);
    }

    // Each piece of a long row has the row's value.
    [TestMethod]
    public void Pieces_of_a_row_come_with_it()
    {
        List<StepReport> steps = Train(options => (options.MaximumEpochs, options.Model) = (1, LanguageModel.Gpt2(layers: 1, heads: 2, width: 16, contextLength: 4)));
        double?[] values = [.. steps.Select(step => step.OrderValue)];
        Assert.IsGreaterThan(7, values.Length);
        CollectionAssert.AreEqual(values.Order().ToArray(), values);
    }

    [TestMethod]
    [DataRow("Single")]
    [DataRow("Double")]
    [DataRow("Int32")]
    [DataRow("Int64")]
    [DataRow("Byte")]
    public void Any_type_of_number_will_do(string column) =>
        CollectionAssert.AreEqual(Train(_ => { }).Select(step => step.OrderValue).ToArray(), Train(options => options.RowOrder = RowOrder.Ascending(column)).Select(step => step.OrderValue).ToArray());

    [TestMethod]
    [DataRow("Missing", "Could not find order column 'Missing'")]
    [DataRow("Text", "Schema mismatch for order column 'Text': expected a number, got String")]
    public void A_column_that_is_missing_or_no_number_is_refused(string column, string expected)
    {
        var mlContext = new MLContext(seed: 1);
        var trainer = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(Options(options => options.RowOrder = RowOrder.Ascending(column)));
        IDataView rows = Load(mlContext, Difficulties);
        Assert.Contains(expected, Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => trainer.Fit(rows)).Message);
        Assert.Contains(expected, Assert.Throws<ArgumentOutOfRangeException>(() => trainer.GetOutputSchema(Schemas.Shape(rows.Schema))).Message);
    }

    [TestMethod]
    public void A_value_that_is_no_number_is_refused_with_its_row()
    {
        var mlContext = new MLContext(seed: 1);
        float[] values = [.. Difficulties];
        values[3] = float.NaN;
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(Options(_ => { })).Fit(Load(mlContext, values)));
        Assert.Contains("The value of row 3 in column 'Single', which the order of rows follows, is NaN; allowed is a number.", error.Message);
    }

    [TestMethod]
    public void A_checkpoint_resumes_with_the_same_values_and_with_no_others()
    {
        using TemporaryFolder folder = new();
        List<StepReport> whole = Train(options => options.MaximumSteps = 6), parts = Train(options => (options.MaximumSteps, options.Checkpoints) = (4, new() { Folder = folder.Path }));
        parts.AddRange(Train(options => (options.MaximumSteps, options.Checkpoints, options.RowOrder) = (6, new() { Folder = folder.Path }, RowOrder.Ascending("Double"))));
        CollectionAssert.AreEqual(whole.Select(step => (step.Step, step.OrderValue)).ToArray(), parts.Select(step => (step.Step, step.OrderValue)).ToArray());

        Refused(Difficulties, RowOrder.Shuffled, "RowOrder is \"Ascending\" there and not set here");
        Refused([1, .. Difficulties[1..]], RowOrder.Ascending("Single"), "the values that the order of rows follows is");

        void Refused(float[] values, RowOrder order, string expected)
        {
            var mlContext = new MLContext(seed: 1);
            var options = Options(options => (options.Checkpoints, options.RowOrder) = (new() { Folder = folder.Path }, order));
            Assert.Contains(expected, Assert.ThrowsExactly<InvalidOperationException>(() => mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options).Fit(Load(mlContext, values))).Message);
        }
    }

    [TestMethod]
    [DataRow("", null, "RowOrder.Column is ''")]
    [DataRow("Single", 0, "RowOrder.Epochs is 0; allowed is at least 1")]
    public void An_order_by_no_column_or_for_no_epoch_is_refused(string column, int? epochs, string expected) => Assert.Contains(expected, Assert.ThrowsExactly<ArgumentOutOfRangeException>(() =>
        new MLContext(seed: 1).CausalLanguageModeling.Trainers.CausalLanguageModel(Options(options => options.RowOrder = RowOrder.Ascending(column, epochs)))).Message);

    [TestMethod]
    public void A_trained_model_remembers_the_order_and_needs_no_column_for_it()
    {
        using TemporaryFolder folder = new();
        var mlContext = new MLContext(seed: 1);
        using var model = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(Options(_ => { })).Fit(Load(mlContext, Difficulties));
        mlContext.Model.Save(model, null, folder["model.zip"]);
        using var loaded = (CausalLanguageModelTransformer)mlContext.Model.Load(folder["model.zip"], out _);
        Assert.AreEqual(RowOrder.Ascending("Single"), loaded.Options.RowOrder);
        Assert.HasCount(8, Tiny.Score(mlContext, loaded, Tiny.Rows(mlContext, Tiny.Texts)));
    }

    private static List<StepReport> Train(Action<CausalLanguageModelTrainer.Options> change)
    {
        var mlContext = new MLContext(seed: 1);
        List<StepReport> steps = [];
        var options = Options(change);
        options.Progress = new Tiny.Progress(steps.Add);
        mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options).Fit(Load(mlContext, Difficulties)).Dispose();
        return steps;
    }

    private static CausalLanguageModelTrainer.Options Options(Action<CausalLanguageModelTrainer.Options> change)
    {
        var options = Tiny.Options();
        (options.BatchSize, options.MaximumSteps, options.RowOrder) = (1, null, RowOrder.Ascending("Single"));
        options.Columns = InputColumns.Text("Text", weight: "Weight");
        change(options);
        return options;
    }

    private static IDataView Load(MLContext mlContext, float[] values) => mlContext.Data.LoadFromEnumerable(values.Select((value, row) => new Row
    {
        Text = Tiny.Texts[row], Weight = row == 4 ? 0 : 1, Single = value, Double = value, Int32 = float.IsNaN(value) ? 0 : (int)value, Int64 = (long)value, Byte = (byte)value,
    }).ToList());

    private sealed class Row
    {
        public string Text { get; set; } = "";

        public float Weight { get; set; }

        public float Single { get; set; }

        public double Double { get; set; }

        public int Int32 { get; set; }

        public long Int64 { get; set; }

        public byte Byte { get; set; }
    }
}
