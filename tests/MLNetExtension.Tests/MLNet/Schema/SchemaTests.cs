using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetExtension.Tests.MLNet.Schema;

[TestClass]
public sealed class SchemaTests
{
    [TestMethod]
    public void A_missing_column_is_refused_by_estimator_and_transformer_alike()
    {
        var mlContext = new MLContext(seed: 1);
        using var model = Tiny.Train(mlContext);
        var trainer = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(Tiny.Options());
        var data = mlContext.Transforms.DropColumns("Text").Fit(Tiny.Rows(mlContext, Tiny.Texts)).Transform(Tiny.Rows(mlContext, Tiny.Texts));

        foreach (Action use in Uses(trainer, model, data))
        {
            var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(use);
            Assert.AreEqual("inputSchema", error.ParamName);
            Assert.StartsWith("Could not find text column 'Text'", error.Message);
        }
    }

    [TestMethod]
    [DataRow("Number", "Single")]
    [DataRow("Vector", "Vector<Single>")]
    public void A_column_of_another_type_is_refused_by_estimator_and_transformer_alike(string column, string type)
    {
        var mlContext = new MLContext(seed: 1);
        var options = Tiny.Options();
        options.Columns = InputColumns.Text(column);
        var trainer = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options);
        var data = Tiny.Rows(mlContext, Tiny.Texts);
        using var model = Tiny.Train(mlContext);
        var renamed = mlContext.Transforms.CopyColumns("Text", column).Fit(data).Transform(data);

        foreach (Action use in Uses(trainer, null, data).Concat(Uses(null, model, renamed)))
        {
            var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(use);
            Assert.AreEqual("inputSchema", error.ParamName);
            StringAssert.Matches(error.Message, new($"^Schema mismatch for text column '(Text|{column})': expected String, got {type}"));
        }
    }

    [TestMethod]
    public void Prompt_and_completion_columns_are_named_by_their_roles()
    {
        var mlContext = new MLContext(seed: 1);
        var options = Tiny.Options();
        options.Columns = InputColumns.PromptCompletion("Text", "Answer");
        var trainer = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options);

        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => trainer.Fit(Tiny.Rows(mlContext, Tiny.Texts)));

        Assert.Contains("Could not find completion column 'Answer'", error.Message);
    }

    [TestMethod]
    public void Estimator_transformer_and_data_agree_on_the_output_columns()
    {
        var mlContext = new MLContext(seed: 1);
        var options = Tiny.Options();
        options.Outputs = new() { LossSum = "Loss", TokenCount = "Number", ByteCount = "Bytes" };
        var data = Tiny.Rows(mlContext, Tiny.Texts);
        var trainer = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options);
        using var model = trainer.Fit(data);

        var promised = trainer.GetOutputSchema(Schemas.Shape(data.Schema));
        var bound = model.GetOutputSchema(data.Schema);
        var given = model.Transform(data).Schema;

        CollectionAssert.AreEqual(Schemas.Describe(bound), Schemas.Describe(given));
        CollectionAssert.AreEqual(Schemas.Describe(promised), Schemas.Describe(Schemas.Shape(given)));
        Assert.AreEqual(NumberDataViewType.Int32, given["Number"].Type, "an added column hides one of the same name");
        Assert.IsTrue(((ITransformer)model).IsRowToRowMapper);
    }

    [TestMethod]
    public void Evaluate_names_the_column_that_is_missing_or_of_another_type()
    {
        var mlContext = new MLContext(seed: 1);
        using var model = Tiny.Train(mlContext);
        var scored = model.Transform(Tiny.Rows(mlContext, Tiny.Texts));

        var missing = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => mlContext.CausalLanguageModeling.Evaluate(scored, "Loss"));
        Assert.Contains("Could not find loss sum column 'Loss'", missing.Message);
        var wrong = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => mlContext.CausalLanguageModeling.Evaluate(scored, tokenCountColumnName: "LossSum"));
        Assert.Contains("Schema mismatch for token count column 'LossSum': expected Int32, got Single", wrong.Message);
    }

    [TestMethod]
    public void Options_that_cannot_be_used_are_refused_by_name()
    {
        var trainers = new MLContext().CausalLanguageModeling.Trainers;
        var lonelyPrompt = Tiny.Options();
        lonelyPrompt.Columns = InputColumns.PromptCompletion("Prompt", "");
        var sameNames = Tiny.Options();
        sameNames.Outputs = new() { ByteCount = sameNames.Outputs.TokenCount };
        var noInterval = Tiny.Options();
        noInterval.ReportInterval = 0;

        Assert.Contains("Columns.completion is ''; allowed is a name that is not empty.", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => trainers.CausalLanguageModel(lonelyPrompt)).Message);
        Assert.Contains("TokenCount, TokenCount", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => trainers.CausalLanguageModel(sameNames)).Message);
        Assert.Contains("ReportInterval", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => trainers.CausalLanguageModel(noInterval)).Message);
    }

    private static IEnumerable<Action> Uses(CausalLanguageModelTrainer? trainer, CausalLanguageModelTransformer? model, IDataView data) =>
        trainer is not null
            ? [() => trainer.GetOutputSchema(Schemas.Shape(data.Schema)), () => trainer.Fit(data), .. model is null ? [] : Uses(null, model, data)]
            : [() => model!.GetOutputSchema(data.Schema), () => model!.Transform(data), () => ((ITransformer)model!).GetRowToRowMapper(data.Schema)];
}
