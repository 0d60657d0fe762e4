using Microsoft.ML;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training.Reports;

namespace MLNetExtension.Tests.MLNet.Trainer;

/// <summary><c>Loss.PromptWeight</c> and <c>BatchTargetTokens</c> as <c>Fit</c> takes them.</summary>
[TestClass]
public sealed class PromptWeightTrainingTests
{
    private static readonly (string Prompt, string Completion)[] Pairs = [.. Tiny.Texts.Where(text => text.Length > 3 && System.Text.Ascii.IsValid(text)).Select(text => (text[..3], text[3..]))];

    // Bytes are the tokens: of a row, all are targets but the beginning, those of the prompt with the weight.
    [TestMethod]
    public void The_report_says_by_what_was_divided_and_the_model_still_counts_completions_alone()
    {
        var mlContext = new MLContext(seed: 1);
        (List<StepReport> plain, _) = Train(mlContext, 0);
        (List<StepReport> weighted, CausalLanguageModelTransformer model) = Train(mlContext, 0.25);
        using (model)
        {
            for (int step = 0; step < plain.Count; step++)
            {
                Assert.AreEqual(plain[step].TargetTokens, weighted[step].TargetTokens);
                Assert.AreEqual(plain[step].TargetTokens, plain[step].TargetWeight);
                Assert.AreEqual(plain[step].TargetTokens + 0.25 * 3 * plain[step].Rows, weighted[step].TargetWeight, 1e-9);
            }
            Assert.AreNotEqual(plain[0].Loss, weighted[0].Loss);
            var scored = mlContext.Data.CreateEnumerable<Tiny.Prediction>(model.Transform(Load(mlContext)), reuseRowObject: false).ToList();
            CollectionAssert.AreEqual(Pairs.Select(pair => System.Text.Encoding.UTF8.GetByteCount(pair.Completion) + 1).ToArray(), scored.Select(row => row.TokenCount).ToArray());
        }
    }

    [TestMethod]
    public void Chats_have_prompts_too()
    {
        using TemporaryFolder folder = new();
        var mlContext = new MLContext(seed: 1);
        var chats = mlContext.Data.LoadFromEnumerable(Enumerable.Range(0, 4).Select(i => new { Messages = $$"""[{"role":"user","content":"{{i}}"},{"role":"assistant","content":"reply {{i}}"}]""" }));
        StepReport First(double promptWeight)
        {
            List<StepReport> steps = [];
            var options = Tiny.Options(steps: 1);
            (options.Model, options.Columns) = (LanguageModel.Pretrained(PublishedModel.Write(folder[$"published{promptWeight}"])), InputColumns.Chat());
            (options.Loss, options.Progress) = (new() { PromptWeight = promptWeight }, new Tiny.Progress(steps.Add));
            mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options).Fit(chats).Dispose();
            return steps.Single();
        }
        StepReport none = First(0), half = First(0.5), whole = First(1);
        Assert.AreEqual(none.TargetTokens, none.TargetWeight);
        Assert.IsGreaterThan(none.TargetWeight, half.TargetWeight);
        Assert.AreEqual(half.TargetWeight - none.TargetWeight, whole.TargetWeight - half.TargetWeight, 1e-9);
    }

    [TestMethod]
    [DataRow(-0.1)]
    [DataRow(1.1)]
    [DataRow(double.NaN)]
    public void A_weight_outside_of_0_to_1_is_refused(double weight) =>
        Refused(options => (options.Loss, options.Columns) = (new() { PromptWeight = weight }, InputColumns.PromptCompletion()), FormattableString.Invariant($"Loss.PromptWeight is {weight}; allowed is from 0 to 1."));

    [TestMethod]
    public void A_weight_of_prompts_is_refused_where_columns_have_none() =>
        Refused(options => options.Loss = new() { PromptWeight = 0.5 }, "Loss.PromptWeight is 0.5; allowed is 0 where Columns have no prompts.");

    [TestMethod]
    public void Batches_are_given_by_rows_or_by_target_tokens()
    {
        Refused(options => (options.BatchSize, options.BatchTargetTokens) = (16, 100), "BatchSize is 16; allowed is its default, 8, beside BatchTargetTokens.");
        Refused(options => (options.BatchSize, options.BatchTargetTokens) = (8, 0), "BatchTargetTokens is 0; allowed is at least 1.");
    }

    private static void Refused(Action<CausalLanguageModelTrainer.Options> change, string expected)
    {
        var options = Tiny.Options();
        change(options);
        Assert.Contains(expected, Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new MLContext(seed: 1).CausalLanguageModeling.Trainers.CausalLanguageModel(options)).Message);
    }

    private static (List<StepReport> Steps, CausalLanguageModelTransformer Model) Train(MLContext mlContext, double promptWeight)
    {
        List<StepReport> steps = [];
        var options = Tiny.Options(steps: 3);
        (options.BatchSize, options.BatchTargetTokens) = (8, 40);
        (options.Columns, options.Loss, options.Progress) = (InputColumns.PromptCompletion(), new() { PromptWeight = promptWeight }, new Tiny.Progress(steps.Add));
        return (steps, mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options).Fit(Load(mlContext)));
    }

    private static IDataView Load(MLContext mlContext) => mlContext.Data.LoadFromEnumerable(Pairs.Select(pair => new { pair.Prompt, pair.Completion }));
}
