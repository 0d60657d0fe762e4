using Microsoft.ML;
using MLNetExtension.Training;
using static MLNetExtension.Tests.MLNet.Tiny;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.MLNet.Trainer;

[TestClass]
public sealed class FitTests
{
    [TestMethod]
    public void The_same_seed_gives_the_same_model_and_another_seed_another()
    {
        double[] losses = [.. new[] { 5, 5, 6 }.Select(seed =>
        {
            var options = Options();
            options.Seed = seed;
            return Loss(new MLContext(seed: 1), options);
        })];

        Assert.AreEqual(losses[0], losses[1]);
        Assert.AreNotEqual(losses[0], losses[2]);
    }

    [TestMethod]
    public void Without_a_seed_of_its_own_the_model_follows_the_seed_of_the_context()
    {
        double[] losses = [.. new[] { 1, 1, 2 }.Select(seed =>
        {
            var options = Options();
            options.Seed = null;
            return Loss(new MLContext(seed), options);
        })];

        Assert.AreEqual(losses[0], losses[1]);
        Assert.AreNotEqual(losses[0], losses[2]);
    }

    [TestMethod]
    public void Fitting_twice_gives_the_same_model_twice()
    {
        var mlContext = new MLContext(seed: 1);
        var options = Options();
        options.Seed = null;
        var trainer = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options);
        var data = Rows(mlContext, Texts);

        using var first = trainer.Fit(data);
        using var second = trainer.Fit(data);

        Assert.AreEqual(first.Training!.LastLoss, second.Training!.LastLoss);
    }

    // The seed is drawn when the trainer is made; a fit in between must not move the seeds of trainers made after it.
    [TestMethod]
    public void Fitting_draws_nothing_from_the_random_state_of_the_context()
    {
        double[] losses = [.. new[] { false, true }.Select(fits =>
        {
            var mlContext = new MLContext(seed: 3);
            var options = Options();
            options.Seed = null;
            var first = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options);
            var data = Rows(mlContext, Texts);    // draws, as every component of ML.NET does when it is made
            if (fits)
                first.Fit(data).Dispose();
            return Loss(mlContext, options);
        })];

        Assert.AreEqual(losses[0], losses[1]);
    }

    [TestMethod]
    public void The_log_names_the_precision_that_is_computed_in()
    {
        var options = Options(steps: 1);
        options.Batching = new() { Precision = ComputePrecision.BFloat16 };

        Assert.ContainsSingle(line => line.Contains("Training on cpu in bfloat16 with weights in float32"), Log(options, Texts));
    }

    [TestMethod]
    public void The_log_says_what_is_trained_on_what_how_it_goes_and_how_it_ended()
    {
        var options = Options(steps: 6);
        options.ReportInterval = 3;

        var lines = Log(options, Texts);

        Assert.ContainsSingle(line => line.Contains("Training on cpu") && line.Contains("8 rows") && line.Contains("parameters"), lines);
        Assert.AreEqual(2, lines.Count(line => line.Contains("nats per token, learning rate")));
        Assert.ContainsSingle(line => line.Contains("Step 3 of epoch 2, 50 % done"), lines);
        Assert.ContainsSingle(line => line.Contains("Trained 6 steps"), lines);
        Assert.ContainsSingle(line => line.Contains($"TorchSharp {TorchSetup.TorchSharpVersion} on libtorch {__version__}") && line.Contains("Microsoft.ML "), lines);
    }

    [TestMethod]
    public void The_log_warns_of_rows_that_are_cut_and_of_rows_without_a_target()
    {
        var options = Options();
        options.Model = options.Model with { ContextLength = 8 };
        options.Columns = InputColumns.PromptCompletion("Text", "Answer");
        var mlContext = new MLContext(seed: 1);
        List<string> lines = Tiny.LogOf(mlContext);
        var data = Rows(mlContext, "fits", "a prompt that alone fills the context", "quite");

        using var model = mlContext.Transforms.CopyColumns("Answer", "Text")
            .Append(mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options)).Fit(data);

        Assert.ContainsSingle(line => line.Contains("Warning") && line.Contains("2 of 3 rows are truncated to 8 tokens"), lines);
        Assert.ContainsSingle(line => line.Contains("Warning") && line.Contains("1 of 3 rows are skipped"), lines);
    }

    [TestMethod]
    public void Progress_is_told_of_every_step()
    {
        var seen = new List<int>();
        var options = Options(steps: 4);
        options.Progress = new Tiny.Progress(step => seen.Add(step.Step));

        Train(new MLContext(seed: 1), options).Dispose();

        CollectionAssert.AreEqual(new[] { 1, 2, 3, 4 }, seen);
    }

    [TestMethod]
    public void Options_changed_after_the_trainer_was_made_have_no_effect()
    {
        var mlContext = new MLContext(seed: 1);
        var options = Options(steps: 2);
        var trainer = mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options);
        options.MaximumSteps = 50;

        using var model = trainer.Fit(Rows(mlContext, Texts));

        Assert.AreEqual(2, model.Training!.Steps);
    }

    [TestMethod]
    public void Cancelling_stops_the_training()
    {
        using var source = new CancellationTokenSource();
        var options = Options(steps: 1000);
        options.CancellationToken = source.Token;
        options.Progress = new Tiny.Progress(_ => source.Cancel());

        Assert.ThrowsExactly<OperationCanceledException>(() => Train(new MLContext(seed: 1), options));
    }

    [TestMethod]
    public void No_rows_is_an_error_that_names_the_column()
    {
        var mlContext = new MLContext(seed: 1);

        var error = Assert.ThrowsExactly<InvalidOperationException>(() =>
            mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(Options()).Fit(Rows(mlContext)));

        Assert.Contains("has no rows (columns 'Text')", error.Message);
    }

    private static double Loss(MLContext mlContext, CausalLanguageModelTrainer.Options options)
    {
        using var model = Train(mlContext, options);
        return mlContext.CausalLanguageModeling.Evaluate(model.Transform(Rows(mlContext, Texts))).Loss;
    }

    private static List<string> Log(CausalLanguageModelTrainer.Options options, IEnumerable<string> texts)
    {
        var mlContext = new MLContext(seed: 1);
        List<string> lines = Tiny.LogOf(mlContext);
        mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options).Fit(Rows(mlContext, texts)).Dispose();
        return lines;
    }
}
