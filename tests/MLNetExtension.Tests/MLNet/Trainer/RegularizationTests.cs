using Microsoft.ML;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tests.Tokenization;
using MLNetExtension.Training;
using MLNetExtension.Training.Averaging;

namespace MLNetExtension.Tests.MLNet.Trainer;

/// <summary>Noise, averages and dropout through <c>Fit</c>.</summary>
[TestClass]
public sealed class RegularizationTests
{
    [TestMethod]
    public void The_log_says_what_is_done_and_which_weights_the_model_has_and_a_saved_model_remembers_it()
    {
        using TemporaryFolder folder = new();
        MLContext mlContext = new(seed: 1);
        List<string> log = Tiny.LogOf(mlContext);
        RegularizationOptions regularization = new() { EmbeddingNoise = 5, Averaging = WeightAveraging.Uniform(0.5, 2) };
        using var model = Tiny.Train(mlContext, Options(regularization));
        Assert.ContainsSingle(line => line.Contains("Embedded tokens get noise of at most 5 / sqrt(tokens of the row x width) in training (NEFTune)."), log);
        Assert.ContainsSingle(line => line.Contains("The weights of one step in 2 in the last 50 % of the training are averaged; validation measures the average, and the trained model has it."), log, string.Join('\n', log));
        Assert.ContainsSingle(line => line.Contains("The model has averaged weights, of 2 steps."), log);
        Assert.IsTrue(model.Training!.HasAveragedWeights);

        mlContext.Model.Save(model, null, folder["model.zip"]);
        using var loaded = (IDisposable)new MLContext().LoadLanguageModel(folder["model.zip"], out ITransformer again);
        Assert.AreEqual(regularization, ((CausalLanguageModelTransformer)again).Options.Regularization);
        CollectionAssert.AreEqual(CheckpointRuns.LossesOf(model), CheckpointRuns.LossesOf((CausalLanguageModelTransformer)again));
    }

    [TestMethod]
    public void With_validation_the_log_names_the_best_averaged_weights()
    {
        MLContext mlContext = new(seed: 1);
        List<string> log = Tiny.LogOf(mlContext);
        var options = Options(new() { Averaging = WeightAveraging.Exponential(0.5) });
        options.Validation = new() { Rows = Tiny.Rows(mlContext, Tiny.Texts), Interval = 3 };
        using var model = Tiny.Train(mlContext, options);
        Assert.ContainsSingle(line => line.Contains("Weights are averaged exponentially, with a decay of 0.5; validation measures the average, and the trained model has it."), log);
        Assert.ContainsSingle(line => line.Contains($"The model has the averaged weights of step {model.Training!.BestStep}, whose validation loss was the lowest"), log);
        Assert.AreEqual(model.Training!.ValidationLoss!.Value, mlContext.CausalLanguageModeling.Evaluate(model.Transform(Tiny.Rows(mlContext, Tiny.Texts))).Loss, 1e-6);
    }

    // One training, two models: the second Fit finds it finished and takes no step.
    [TestMethod]
    public void A_finished_training_gives_the_averaged_weights_or_the_last_ones()
    {
        using TemporaryFolder folder = new();
        WeightAveraging averaging = WeightAveraging.Exponential(0.8);
        float[] last = Losses(null, null, out _), average = Losses(averaging, null, out _);
        CollectionAssert.AreNotEqual(last, average);
        CollectionAssert.AreEqual(average, Losses(averaging, folder.Path, out int steps));
        Assert.AreEqual(10, steps);
        CollectionAssert.AreEqual(last, Losses(averaging with { UseInModel = false }, folder.Path, out steps));
        Assert.AreEqual(0, steps);
        CollectionAssert.AreEqual(average, Losses(averaging, folder.Path, out steps));
        Assert.AreEqual(0, steps);

        static float[] Losses(WeightAveraging? averaging, string? checkpoints, out int steps)
        {
            var options = CheckpointRuns.Resumable(checkpoints);
            options.Regularization = new() { Averaging = averaging };
            using var model = Tiny.Train(new MLContext(seed: 1), options);
            steps = model.Training!.Steps;
            return CheckpointRuns.LossesOf(model);
        }
    }

    [TestMethod]
    [DataRow("EmbeddingNoise is 5 there and 6 here")]
    [DataRow("Averaging is {")]
    [DataRow("PretrainedDropout is not set there and 0.25 here")]
    public void A_checkpoint_of_a_training_with_other_options_is_refused(string difference)
    {
        using TemporaryFolder folder = new();
        string published = PublishedModel.Write(folder["published"]);
        using (Train(new() { EmbeddingNoise = 5, Averaging = WeightAveraging.Exponential() }, null))
        {
        }
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => difference[0] switch
        {
            'E' => Train(new() { EmbeddingNoise = 6, Averaging = WeightAveraging.Exponential() }, null),
            'A' => Train(new() { EmbeddingNoise = 5, Averaging = WeightAveraging.Uniform() }, null),
            _ => Train(new() { EmbeddingNoise = 5, Averaging = WeightAveraging.Exponential() }, 0.25),
        });
        StringAssert.Contains(error.Message, difference);

        CausalLanguageModelTransformer Train(RegularizationOptions regularization, double? dropout)
        {
            var options = Tiny.Options(steps: 2);
            (options.Model, options.Regularization, options.Checkpoints) = (LanguageModel.Pretrained(published, contextLength: 32, dropout), regularization, new() { Folder = folder["checkpoints"] });
            return Tiny.Train(new MLContext(seed: 1), options);
        }
    }

    // The weights of two trainings differ where dropout is at work, and the folder that is written says with how much they were trained.
    [TestMethod]
    [DataRow("gpt2", "resid_pdrop", "embd_pdrop", "attn_pdrop")]
    [DataRow("llama", "attention_dropout")]
    public void Dropout_replaces_that_of_a_published_model(string type, params string[] keys)
    {
        using TemporaryFolder folder = new();
        string published = Publish(folder["published"], type);
        using var asPublished = Train(null);
        using var none = Train(0);
        using var much = Train(0.4);
        CollectionAssert.AreEqual(CheckpointRuns.LossesOf(asPublished), CheckpointRuns.LossesOf(none), "it was published with none");
        CollectionAssert.AreNotEqual(CheckpointRuns.LossesOf(much), CheckpointRuns.LossesOf(none));
        much.SaveAsHuggingFace(folder["written"]);
        string json = File.ReadAllText(Path.Combine(folder["written"], "config.json"));
        foreach (string key in keys)
            StringAssert.Contains(json, $"\"{key}\": 0.4");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Train(1)).Message, "Model.Dropout is 1; allowed is from 0 to below 1.");

        CausalLanguageModelTransformer Train(double? dropout)
        {
            var options = Tiny.Options(steps: 3);
            options.Model = LanguageModel.Pretrained(published, contextLength: 32, dropout);
            return Tiny.Train(new MLContext(seed: 1), options);
        }
    }

    private static CausalLanguageModelTrainer.Options Options(RegularizationOptions regularization)
    {
        var options = Tiny.Options(steps: 8);
        options.Regularization = regularization;
        return options;
    }

    private static string Publish(string folder, string type)
    {
        if (type == "llama")
            return PublishedModel.Write(folder);
        var tokenizer = Golden.Tokenizer("gpt2");
        using var model = new Gpt2Model(new Gpt2Configuration(tokenizer.VocabularySize, ContextLength: 32, Layers: 1, Heads: 2, Width: 16), seed: 3);
        new HuggingFaceModel(model, tokenizer.EndOfTextId).Save(folder, [.. Directory.EnumerateFiles(Golden.FolderOf("gpt2"))]);
        return folder;
    }
}
