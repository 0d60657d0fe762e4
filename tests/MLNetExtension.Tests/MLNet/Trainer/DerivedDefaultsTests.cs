using MLNetExtension.Training.Optimization;
using Microsoft.ML;
using MLNetExtension.MLNet.Trainer;
using MLNetExtension.Models.Lora;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tests.Tokenization;

namespace MLNetExtension.Tests.MLNet.Trainer;

/// <summary>Learning rate, weight decay and beta2 follow from what is trained.</summary>
[TestClass]
public sealed class DerivedDefaultsTests
{
    [TestMethod]
    [DataRow(16, 3e-3)]
    [DataRow(128, 3e-3)]
    [DataRow(768, 5e-4)]
    [DataRow(2048, 1.875e-4)]
    public void A_new_network_takes_a_rate_by_its_width(int width, double expected)
    {
        var filled = DerivedDefaults.FillIn(new() { Model = LanguageModel.Gpt2(heads: 4, width: width) });
        Assert.AreEqual(expected, filled.LearningRate!.Value, 1e-15);
        Assert.AreEqual((0.95, 0.1), (((AdamWOptions)filled.Optimizer).Beta2, filled.Optimizer.WeightDecay));
    }

    [TestMethod]
    public void A_pretrained_model_and_adapters_take_the_rates_of_fine_tuning()
    {
        var whole = DerivedDefaults.FillIn(new() { Model = LanguageModel.Pretrained("folder") });
        Assert.AreEqual((5e-5, 0.999, 0.01), (whole.LearningRate, ((AdamWOptions)whole.Optimizer).Beta2, whole.Optimizer.WeightDecay));
        var adapters = DerivedDefaults.FillIn(new() { Model = LanguageModel.Pretrained("folder"), Adapters = new LoraOptions() });
        Assert.AreEqual((2e-4, 0.999, 0.0), (adapters.LearningRate, ((AdamWOptions)adapters.Optimizer).Beta2, adapters.Optimizer.WeightDecay));
    }

    [TestMethod]
    public void What_a_user_sets_stays_and_leaves_the_other_defaults_alone()
    {
        var options = new CausalLanguageModelTrainer.Options { Model = LanguageModel.Pretrained("folder"), LearningRate = 1e-3, Optimizer = new AdamWOptions { Beta1 = 0.8, WeightDecay = 0.3 } };
        var filled = DerivedDefaults.FillIn(options);
        Assert.AreEqual((1e-3, 0.8, 0.999, 0.3), (filled.LearningRate, ((AdamWOptions)filled.Optimizer).Beta1, ((AdamWOptions)filled.Optimizer).Beta2, filled.Optimizer.WeightDecay));
        Assert.IsNull(((AdamWOptions)options.Optimizer).Beta2, "the user's own object");
    }

    [TestMethod]
    public void The_log_and_the_trained_model_tell_what_was_taken()
    {
        using TemporaryFolder folder = new();
        MLContext mlContext = new(seed: 1);
        List<string> lines = [];
        mlContext.Log += (_, line) => lines.Add(line.Message);
        using var trained = Tiny.Train(mlContext);
        Assert.ContainsSingle(line => line.Contains("Learning rate 0.003 after the warm-up; AdamW with weight decay 0.1 and betas 0.9 and 0.95"), lines);

        mlContext.Model.Save(trained, Tiny.Rows(mlContext).Schema, folder["model.zip"]);
        using var loaded = (CausalLanguageModelTransformer)new MLContext().LoadLanguageModel(folder["model.zip"], out _);
        foreach (var model in new[] { trained, loaded })
            Assert.AreEqual((3e-3, 0.95, 0.1), (model.Options.LearningRate, ((AdamWOptions)model.Options.Optimizer).Beta2, model.Options.Optimizer.WeightDecay));
    }

    // Said "MinimumLearningRate is 0.0003; allowed is from 0 to LearningRate (0.0001)" when the floor's default was one number for every rate.
    [TestMethod]
    [DataRow(1e-4)]
    [DataRow(1e-7)]
    public void Every_learning_rate_goes_with_every_other_default(double learningRate)
    {
        MLContext mlContext = new(seed: 1);
        using var model = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel("Text", learningRate: learningRate).Fit(Tiny.Rows(mlContext, Tiny.Texts));
        Assert.AreEqual(learningRate, model.Options.LearningRate);
    }

    // Fine-tuning through the API once took 3e-3 and a decay of 0.1 where nothing was said: the control, under which the held-out loss rises.
    [TestMethod]
    public void A_published_model_is_fine_tuned_with_nothing_but_its_folder_named()
    {
        using TemporaryFolder folder = new();
        MLContext mlContext = new(seed: 1);
        var scratch = new CausalLanguageModelTrainer.Options
        {
            Model = LanguageModel.Gpt2(layers: 2, heads: 2, width: 32, contextLength: 64, tokenizerFolder: Golden.FolderOf("gpt2")),
            MaximumSteps = 250,
            LearningRate = 1e-2,
            Batching = new() { MaximumTokensPerMicroBatch = 512 },
        };
        using (var published = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(scratch).Fit(Sentences(mlContext, 0, 300)))
            published.SaveAsHuggingFace(folder["published"]);

        double before = HeldOutLoss(new() { MaximumSteps = 0 }), after = HeldOutLoss(new()), control = HeldOutLoss(new() { LearningRate = 3e-3, Schedule = new() { WarmupSteps = 0 }, Optimizer = new AdamWOptions { Beta2 = 0.95, WeightDecay = 0.1 } });
        Assert.IsLessThan(before, after);
        Assert.IsGreaterThan(before, control);

        double HeldOutLoss(CausalLanguageModelTrainer.Options options)
        {
            options.Model = LanguageModel.Pretrained(folder["published"]);
            using var model = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options).Fit(Sentences(mlContext, 300, 40));
            return mlContext.CausalLanguageModeling.Evaluate(model.Transform(Sentences(mlContext, 1000, 60))).Loss;
        }
    }

    private static IDataView Sentences(MLContext mlContext, int first, int count)
    {
        string[] verbs = ["returns", "reads", "writes", "copies"], nouns = ["the value", "a stream", "the list", "an index", "the key"], ends = ["of the table", "in the file", "at the end", "once more"];
        return Tiny.Rows(mlContext, Enumerable.Range(first, count).Select(i => new Random(i)).Select(random =>
            $"{nouns[random.Next(5)]} {verbs[random.Next(4)]} {nouns[random.Next(5)]} {ends[random.Next(4)]}"));
    }
}
