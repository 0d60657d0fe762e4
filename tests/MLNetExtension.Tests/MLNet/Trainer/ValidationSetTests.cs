using Microsoft.ML;
using MLNetExtension.Training.Reports;
using static MLNetExtension.Tests.MLNet.Tiny;

namespace MLNetExtension.Tests.MLNet.Trainer;

[TestClass]
public sealed class ValidationSetTests
{
    // Rows of unequal length, so that a mean of the rows' means would be another number.
    [TestMethod]
    public void The_validation_loss_is_what_Evaluate_gives_for_the_model()
    {
        var mlContext = new MLContext(seed: 1);
        var held = Rows(mlContext, "the fox and the dog", "", "brown", "a line that is a good deal longer than the others");
        var options = Options(steps: 7);
        options.Validation = new() { Rows = held, Interval = 3 };
        List<double?> reported = [];
        options.Progress = new Tiny.Progress(step => reported.Add(step.ValidationLoss));

        using var model = Train(mlContext, options);
        double expected = mlContext.CausalLanguageModeling.Evaluate(model.Transform(held)).Loss;

        Assert.HasCount(3, reported.OfType<double>());
        Assert.IsNotNull(reported[2]);
        Assert.IsNotNull(reported[6]);
        Assert.AreEqual(reported.OfType<double>().Min(), model.Training!.ValidationLoss);
        Assert.AreEqual(expected, model.Training.ValidationLoss!.Value, 1e-6);
    }

    [TestMethod]
    public void A_training_with_a_validation_set_gives_the_same_model_as_one_without()
    {
        var mlContext = new MLContext(seed: 1);
        double[] losses = [.. new[] { false, true }.Select(validated =>
        {
            var options = Options(steps: 6);
            options.Model = WithDropout(0.1);
            options.Batching = new() { MaximumTokensPerMicroBatch = 64 };
            // Measured on the rows that are trained on, so the last weights are the best.
            if (validated)
                options.Validation = new() { Rows = Rows(mlContext, Texts), Interval = 2, Patience = 0 };
            using var model = Train(mlContext, options);
            Assert.AreEqual(validated ? 6 : null, model.Training!.BestStep);
            return mlContext.CausalLanguageModeling.Evaluate(model.Transform(Rows(mlContext, Texts))).Loss;
        })];

        Assert.AreEqual(losses[0], losses[1]);
    }

    [TestMethod]
    public void Training_stops_early_when_the_validation_loss_rises_and_the_log_says_so()
    {
        var mlContext = new MLContext(seed: 1);
        List<string> lines = Tiny.LogOf(mlContext);
        var options = Options(steps: 400);
        // Nothing in common with the training rows: the better the model predicts those, the worse it predicts these.
        options.Validation = new() { Rows = Rows(mlContext, "ЖЖЖ≈≈≈ЖЖЖ", "≈≈≈≈≈≈ЖЖ"), Interval = 5, Patience = 2 };
        (options.LearningRate, options.Schedule) = (0.02, new() { WarmupSteps = 1, MinimumLearningRateRatio = 1 });

        using var model = Train(mlContext, options);

        var summary = model.Training!;
        Assert.AreEqual(StopReason.NoImprovement, summary.End);
        Assert.AreEqual(summary.BestStep + 10, summary.Steps);
        Assert.ContainsSingle(line => line.Contains("Validating every 5 steps on 2 rows") && line.Contains("after 2 evaluations"), lines);
        Assert.ContainsSingle(line => line.Contains($"Step {summary.BestStep}: validation loss") && line.Contains("the lowest so far"), lines);
        Assert.ContainsSingle(line => line.Contains($"Step {summary.Steps}: validation loss") && line.Contains("the lowest was"), lines);
        Assert.ContainsSingle(line => line.Contains("2 evaluations in a row had no lower validation loss"), lines);
        Assert.ContainsSingle(line => line.Contains($"The model has the weights of step {summary.BestStep}"), lines);
    }

    [TestMethod]
    public void The_stop_token_ends_the_training_and_returns_the_model()
    {
        using var source = new CancellationTokenSource();
        var options = Options(steps: 1000);
        options.StopToken = source.Token;
        options.Progress = new Tiny.Progress(step =>
        {
            if (step.Step == 3)
                source.Cancel();
        });

        using var model = Train(new MLContext(seed: 1), options);

        Assert.AreEqual((StopReason.Requested, 3), (model.Training!.End, model.Training.Steps));
    }

    [TestMethod]
    public void Options_of_validation_that_cannot_be_used_are_refused_by_name()
    {
        var mlContext = new MLContext(seed: 1);
        Refused(options => options.Validation = new() { Rows = Rows(mlContext, Texts), Interval = 0 }, "Validation.Interval is 0");
        Refused(options => options.Validation = new() { Rows = Rows(mlContext, Texts), Patience = -1 }, "Validation.Patience is -1");

        Unfit(mlContext.Data.LoadFromEnumerable([new { Other = "x" }]), "Could not find text column 'Text'");
        Unfit(Rows(mlContext), "Validation.Rows has no rows");

        void Refused(Action<CausalLanguageModelTrainer.Options> change, string expected)
        {
            var options = Options();
            change(options);
            Assert.Contains(expected, Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(options)).Message);
        }

        void Unfit(IDataView rows, string expected)
        {
            var options = Options();
            options.Validation = new() { Rows = rows };
            var error = Assert.Throws<Exception>(() => Train(mlContext, options));
            Assert.Contains(expected, error.Message);
            Assert.Contains("Validation.Rows", error.Message);
        }
    }
}
