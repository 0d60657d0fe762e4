using Microsoft.ML;
using MLNetExtension.Generation;
using Samples.Jobs;
using Samples.Reporting;
using Samples.Text;
using Spectre.Console;

namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class OnePassTests
{
    // Seen to fail with: a second training of no steps for the metrics before training, which reads the base and the rows again: two pipelines.
    [TestMethod]
    public void One_training_gives_the_metrics_before_and_after()
    {
        using TemporaryFolder folder = new();
        var finetune = new FinetuneRecipe { Base = new(PublishedModel.Write(folder["base"]), ContextLength: 64) };
        (TrainReport report, int pipelines) = Run(finetune, folder);
        Assert.AreEqual(1, pipelines);
        Assert.AreEqual(LossBefore(finetune), report.Before.Loss);

        var train = new FromScratchRecipe { Network = new() { Layers = 1, Heads = 2, Width = 16, ContextLength = 64 } };
        (report, pipelines) = Run(train, folder);
        Assert.AreEqual(1, pipelines);
        Assert.AreEqual(LossBefore(train), report.Before.Loss, "of rows to which the pipeline's normalization was applied");
        Assert.AreNotEqual(report.After!.Loss, report.Before.Loss, "the control");
    }

    // Each evaluation of all of them is a share of the training's time; the loaded model needs no third.
    [TestMethod]
    public void Held_out_rows_are_evaluated_before_and_after_and_a_few_of_them_once_more()
    {
        using TemporaryFolder folder = new();
        TrainReport report = Run(new FinetuneRecipe { Base = new(PublishedModel.Write(folder["base"]), ContextLength: 64) }, folder, rows: 100).Report;
        Assert.AreEqual((20, 20, 16), (report.Before.Rows, report.After!.Rows, report.Reloaded!.Rows));
        Assert.IsTrue(report.ReloadedAgrees);
    }

    // Seen to fail with: another seed.
    [TestMethod]
    public void Samples_are_the_texts_that_each_prompt_gets_alone()
    {
        using TemporaryFolder folder = new();
        var recipe = new FinetuneRecipe { Base = new(PublishedModel.Write(folder["base"]), ContextLength: 64) };
        TrainReport report = Run(recipe, folder).Report;
        var mlContext = new MLContext(1);
        using TrainedModel model = TrainedModel.Load(mlContext, Path.Combine(recipe.Settings.OutputFolder, "model.zip"));
        PromptedTextGenerator generator = mlContext.CausalLanguageModeling.CreateTextGenerator(model.Transformer);
        Assert.HasCount(3, report.Samples);
        for (int i = 0; i < 3; i++)
        {
            GenerationOptions options = new() { MaximumNewTokens = 160, Temperature = 0.5, TopP = 0.9, Seed = recipe.Settings.Seed + i };
            Assert.AreEqual(generator.Generate(report.Samples[i].Prompt + "\n", options), report.Samples[i].Generated);
        }
    }

    // As the job did before: a training of no steps.
    private static double LossBefore(ITrainingRecipe recipe)
    {
        var mlContext = new MLContext(recipe.Settings.Seed);
        RowSplit split = RowSplit.Create(mlContext, recipe.ReadRows(), recipe.Settings);
        CausalLanguageModelTrainer.Options options = recipe.Settings.Options.Copy();
        (options.Columns, options.MaximumSteps) = (RowDataView.InputColumnsOf(split.Kind), 0);
        using var model = new TrainedModel(recipe.CreatePipeline(mlContext, options, split.Kind).Fit(split.Train), split.Kind);
        return split.Evaluate(mlContext, model).Loss;
    }

    private static (TrainReport Report, int Pipelines) Run(ITrainingRecipe recipe, TemporaryFolder folder, int rows = 40)
    {
        recipe.Settings.DataFile = folder.Write("rows.jsonl", string.Concat(Enumerable.Range(0, rows).Select(i => $$"""{"prompt":"Number {{i}}","completion":"and  on{{i % 4}}"}""" + "\n")));
        recipe.Settings.OutputFolder = folder[recipe.GetType().Name];
        recipe.Settings.Options.MaximumSteps = 3;
        recipe.Settings.Options.LearningRate = 1e-2;
        recipe.Settings.Options.Batching = new() { MaximumTokensPerMicroBatch = 256 };
        Counting counting = new(recipe);
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(TextWriter.Null) });
        return (new TrainingJob(counting, console, CancellationToken.None).Run()!, counting.Pipelines);
    }

    private sealed class Counting(ITrainingRecipe recipe) : ITrainingRecipe
    {
        public int Pipelines { get; private set; }

        public TrainingSettings Settings => recipe.Settings;

        public object DescribeSettings(CausalLanguageModelTrainer.Options options) => recipe.DescribeSettings(options);

        public RowSet ReadRows() => recipe.ReadRows();

        public IEstimator<ITransformer> CreatePipeline(MLContext mlContext, CausalLanguageModelTrainer.Options options, RowKind kind)
        {
            Pipelines++;
            return recipe.CreatePipeline(mlContext, options, kind);
        }

        public IDataView Prepare(MLContext mlContext, IDataView rows, RowKind kind) => recipe.Prepare(mlContext, rows, kind);

        public bool MayWrite(string fileName) => recipe.MayWrite(fileName);

        public IReadOnlyList<string> WriteFiles(CausalLanguageModelTransformer model, OutputFolder output) => recipe.WriteFiles(model, output);
    }
}
