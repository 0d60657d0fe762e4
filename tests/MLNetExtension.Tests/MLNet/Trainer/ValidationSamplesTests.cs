using Microsoft.ML;
using MLNetExtension.Generation;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tests.Training.Ranks;
using MLNetExtension.Training;
using MLNetExtension.Training.Ranks;
using MLNetExtension.Training.Reports;
using static MLNetExtension.Tests.MLNet.Tiny;

namespace MLNetExtension.Tests.MLNet.Trainer;

/// <summary>Texts that the model generates at each validation.</summary>
[TestClass]
public sealed class ValidationSamplesTests
{
    private static readonly string[] Prompts = ["The ", "", "naïve"];

    [TestMethod]
    public void Each_validation_gives_a_text_for_each_prompt_and_other_steps_give_none()
    {
        var (steps, model) = Fit(Prompts);
        using (model)
        {
            CollectionAssert.AreEqual(new[] { 2, 4, 6, 7 }, steps.Where(step => step.Samples.Count > 0).Select(step => step.Step).ToArray());
            CollectionAssert.AreEqual(steps.Where(step => step.ValidationLoss is not null).ToArray(), steps.Where(step => step.Samples.Count > 0).ToArray());
            foreach (StepReport step in steps.Where(step => step.Samples.Count > 0))
                CollectionAssert.AreEqual(Prompts, step.Samples.Select(sample => sample.Prompt).ToArray());
        }
    }

    // Dropout draws in every step, so a random number that generation takes would show.
    [TestMethod]
    public void The_weights_are_bit_for_bit_those_of_a_training_without_them()
    {
        var (with, first) = Fit(Prompts, dropout: 0.3);
        var (without, second) = Fit([], dropout: 0.3);
        using (first)
        using (second)
        {
            CollectionAssert.AreEqual(Weights(second), Weights(first));
            CollectionAssert.AreEqual(without.Select(step => step.Loss).ToArray(), with.Select(step => step.Loss).ToArray());
            Assert.IsTrue(without.All(step => step.Samples.Count == 0));
            Assert.AreNotEqual(with[1].Samples[0].Text, with[^1].Samples[0].Text, "the model learns");
        }
    }

    [TestMethod]
    public void Texts_are_those_that_the_model_generates_with_these_weights_and_the_same_at_every_fit()
    {
        GenerationOptions generation = new() { MaximumNewTokens = 20, Temperature = 1.5, Seed = 9 };
        var (steps, model) = Fit(Prompts, generation: generation);
        var (again, other) = Fit(Prompts, generation: generation);
        using (model)
        using (other)
        {
            CollectionAssert.AreEqual(Texts(again), Texts(steps));
            Assert.AreEqual(7, model.Training!.BestStep, "the model has the weights of the last step");
            IReadOnlyList<string> generated = new MLContext().CausalLanguageModeling.CreateTextGenerator(model).Generate(Prompts, generation);
            CollectionAssert.AreEqual(generated.ToArray(), steps[^1].Samples.Select(sample => sample.Text).ToArray());
        }

        static string[] Texts(List<StepReport> steps) => [.. steps.SelectMany(step => step.Samples).Select(sample => sample.Text)];
    }

    [TestMethod]
    public void A_training_that_resumes_gives_the_texts_of_one_that_was_not_interrupted()
    {
        using TemporaryFolder folder = new();
        var (whole, model) = Fit(Prompts, dropout: 0.3);
        var (_, interrupted) = Fit(Prompts, dropout: 0.3, steps: 4, checkpoints: folder["checkpoints"]);
        var (rest, resumed) = Fit(Prompts, dropout: 0.3, checkpoints: folder["checkpoints"]);
        using (model)
        using (interrupted)
        using (resumed)
        {
            CollectionAssert.AreEqual(Weights(model), Weights(resumed));
            CollectionAssert.AreEqual(whole[^1].Samples.ToArray(), rest[^1].Samples.ToArray());
        }
    }

    [TestMethod]
    public void The_first_rank_generates_and_all_end_with_the_weights_of_one()
    {
        int generated = 0;
        double[][] weights = ThreadRankGroup.Run(2, ranks =>
        {
            using Gpt2Model model = Ragged.Model();
            TrainingLoop.Run(new TrainingRun(model, Ragged.Examples(8), new TrainingOptions { BatchSize = 4, MaximumSteps = 3 }, Seed: 1)
            {
                Ranks = new RankSetup(ranks, false),
                Validation = new Validation(_ => (1, 1), interval: 1) { Samples = _ => { Interlocked.Increment(ref generated); return [new("", "")]; } },
            });
            return model.parameters().SelectMany(parameter => parameter.detach().flatten().to(TorchSharp.torch.float64).data<double>().ToArray()).ToArray();
        });
        Assert.AreEqual(3, generated);
        CollectionAssert.AreEqual(weights[0], weights[1]);
    }

    [TestMethod]
    public void Reports_tell_memory_and_the_share_of_the_peak_where_it_was_measured()
    {
        var (measured, model) = Fit([], measure: true);
        model.Dispose();
        foreach (StepReport step in measured)
        {
            Assert.IsGreaterThan(10, step.Memory.ResidentMiB);
            Assert.IsGreaterThanOrEqualTo(step.Memory.ResidentMiB, step.Memory.PeakResidentMiB);
            Assert.IsNull(step.Memory.DeviceMiB);
            Assert.AreEqual(step.ModelFlops / step.StepTime.TotalSeconds / step.MatrixPeak!.Value, step.ModelFlopUtilization!.Value);
            Assert.IsInRange(0, 1, step.ModelFlopUtilization.Value);
        }
        var (plain, other) = Fit([]);
        other.Dispose();
        Assert.IsTrue(plain.All(step => step.MatrixPeak is null && step.ModelFlopUtilization is null && step.ModelFlops == measured[step.Step - 1].ModelFlops));
    }

    [TestMethod]
    public void Bad_options_are_named()
    {
        MLContext context = new(seed: 1);
        Assert.Contains("Validation.Generation.TopP is 0", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Trainer(new() { Fraction = 0.5, Generation = new() { TopP = 0 } })).Message);
        Assert.Contains("Validation.Prompts is", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Trainer(new() { Fraction = 0.5, Prompts = [null!] })).Message);

        CausalLanguageModelTrainer Trainer(ValidationOptions validation) => context.CausalLanguageModeling.Trainers.CausalLanguageModel(new CausalLanguageModelTrainer.Options { Validation = validation });
    }

    private static (List<StepReport> Steps, CausalLanguageModelTransformer Model) Fit(
        string[] prompts, double dropout = 0, int steps = 7, GenerationOptions? generation = null, string? checkpoints = null, bool measure = false)
    {
        MLContext context = new(seed: 1);
        List<StepReport> reports = [];
        var options = Options(steps);
        (options.Model, options.MeasureMatrixPeak, options.Progress) = (WithDropout(dropout), measure, new Progress(reports.Add));
        options.Schedule = new() { Shape = MLNetExtension.Training.Optimization.ScheduleShape.Constant, WarmupSteps = 1 };
        options.Batching = new() { MaximumTokensPerMicroBatch = 200, Threads = 1 };
        options.Validation = new() { Rows = Rows(context, Tiny.Texts), Interval = 2, Prompts = prompts, Generation = generation ?? new() { MaximumNewTokens = 12 } };
        options.Checkpoints = checkpoints is null ? null : new() { Folder = checkpoints, Interval = 2 };
        return (reports, Train(context, options));
    }

    private static float[] Weights(CausalLanguageModelTransformer model) =>
        [.. model.Scoring.Model.Network.parameters().SelectMany(parameter => parameter.detach().flatten().data<float>().ToArray())];
}
