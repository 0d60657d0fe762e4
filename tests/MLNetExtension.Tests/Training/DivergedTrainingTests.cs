using MLNetExtension.Training.Optimization;
using Microsoft.ML;
using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.Models;
using MLNetExtension.Models.Custom;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.MLNet;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training;
using MLNetExtension.Training.Reports;
using MLNetExtension.Training.Resume;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training;

/// <summary>
/// Finite gradients that make weights with which no loss is a number. Before, the report said "The model is that of the last finite step", and the model gave nothing but NaN.
/// </summary>
[TestClass]
public sealed class DivergedTrainingTests
{
    [TestMethod]
    [DataRow(1e6, false)]    // its weights give finite losses, whose gradients are not
    [DataRow(1e12, true)]
    [DataRow(1e30, true)]
    public void The_model_has_the_last_weights_that_gave_a_finite_loss(double learningRate, bool takenBack)
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model(ScalarType.Float32);
        Dictionary<int, byte[]> weights = new() { [0] = Weights(model) };
        int lastApplied = 0;
        TrainingSummary summary = TrainingLoop.Run(model, Ragged.Examples(8), Options(learningRate), seed: 1, step =>
        {
            weights[step.Step] = Weights(model);
            lastApplied = step.Outcome == StepOutcome.Applied ? step.Step : lastApplied;
        });

        Assert.IsTrue(summary.StoppedByNonFiniteSteps, $"the control: it diverges ({summary})");
        AssertFinite(model);
        CollectionAssert.AreEqual(weights[summary.WeightsStep], Weights(model), $"the weights of step {summary.WeightsStep}");
        Assert.AreEqual(takenBack, summary.WeightsStep < lastApplied);
        Assert.AreEqual(!takenBack, weights[lastApplied].SequenceEqual(Weights(model)), "the control: the last update is kept only where it was good");
    }

    // No later loss shows what the last step has made: one is computed for that.
    [TestMethod]
    public void A_last_step_that_makes_bad_weights_is_taken_back()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model(ScalarType.Float32);
        byte[] before = Weights(model);
        List<StepReport> steps = [];
        TrainingSummary summary = TrainingLoop.Run(model, Ragged.Examples(8), Options(1e30) with { MaximumSteps = 1 }, seed: 1, steps.Add);

        Assert.AreEqual(StepOutcome.Applied, steps.Single().Outcome, "the control: loss and gradient were finite");
        Assert.AreEqual((StopReason.LimitReached, 1, 0), (summary.End, summary.Steps, summary.WeightsStep));
        CollectionAssert.AreEqual(before, Weights(model));
    }

    [TestMethod]
    public void Weights_that_give_a_finite_loss_are_kept_and_their_step_is_told()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model(ScalarType.Float32);
        byte[] last = [];
        TrainingSummary summary = TrainingLoop.Run(model, [.. Ragged.Examples(4), Ragged.WithoutTargets(3)], new TrainingOptions { BatchSize = 1, RowOrder = RowOrder.AsGiven }, seed: 1, _ => last = Weights(model));

        Assert.AreEqual((5, 1, 4), (summary.Steps, summary.StepsWithoutTargets, summary.WeightsStep));
        CollectionAssert.AreEqual(last, Weights(model));
    }

    // The rate is ordinary, so no copy is kept: the step is computed backwards. The network gives NaN once a weight has passed a limit.
    [TestMethod]
    public void At_an_ordinary_rate_the_last_step_is_computed_backwards()
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = new CustomLanguageModel(new Fragile(limit: 0.06), contextLength: 24);
        Dictionary<int, Tensor> weights = new() { [0] = model.parameters().Single().detach().clone() };
        TrainingOptions options = Options(1e-2) with { MaximumNonFiniteSteps = 3 };
        TrainingSummary summary = TrainingLoop.Run(model, Ragged.Examples(8), options, seed: 1, step => weights[step.Step] = model.parameters().Single().detach().clone());

        Assert.IsTrue(summary.StoppedByNonFiniteSteps);
        Assert.AreEqual(summary.Steps - 4, summary.WeightsStep, "three steps were not finite, and the one before them made the weights that were not good");
        AssertFinite(model);
        Tensor actual = model.parameters().Single().detach();
        Assert.IsLessThan(1e-6, Ragged.RelativeError(actual, weights[summary.WeightsStep]));
        Assert.IsGreaterThan(1e-3, Ragged.RelativeError(actual, weights[summary.WeightsStep + 1]), "the control: the step mattered");
    }

    [TestMethod]
    public void The_best_weights_on_the_validation_rows_win()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model(ScalarType.Float32);
        TokenExample[] rows = Ragged.Examples(8);
        List<StepReport> steps = [];
        TrainingSummary summary = TrainingLoop.Run(new TrainingRun(model, rows, Options(1e6), Seed: 1)
        {
            OnStep = steps.Add,
            Validation = new Validation(token => (new RowScorer(model).Score(rows, token).Sum(row => row.LossSum), 1), interval: 1),
        });

        Assert.IsTrue(summary.StoppedByNonFiniteSteps);
        Assert.IsNotNull(summary.BestStep);
        Assert.AreEqual(summary.BestStep, summary.WeightsStep);
        Assert.AreEqual(steps.Where(step => double.IsFinite(step.ValidationLoss ?? double.NaN)).Min(step => step.ValidationLoss), summary.ValidationLoss);
        AssertFinite(model);
    }

    // No evaluation gives a number, so there are no best weights.
    [TestMethod]
    public void Without_a_finite_validation_loss_the_last_step_is_taken_back_too()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model(ScalarType.Float32);
        byte[] before = Weights(model);
        TrainingSummary summary = TrainingLoop.Run(new TrainingRun(model, Ragged.Examples(8), Options(1e30) with { MaximumSteps = 1 }, Seed: 1) { Validation = new Validation(_ => (double.NaN, 1), interval: 1) });

        Assert.AreEqual((0, (int?)null), (summary.WeightsStep, summary.BestStep));
        CollectionAssert.AreEqual(before, Weights(model));
    }

    [TestMethod]
    public void No_checkpoint_is_written_of_a_step_that_is_taken_back()
    {
        using TemporaryFolder folder = new();
        using Gpt2Model model = Ragged.Model(ScalarType.Float32);
        using CheckpointFolder opened = CheckpointFolder.Open(folder.Path);
        TrainingSummary summary = TrainingLoop.Run(new TrainingRun(model, Ragged.Examples(8), Options(1e30) with { MaximumSteps = 1 }, Seed: 1)
        {
            Checkpoints = new CheckpointManager(opened, 100, new Dictionary<string, string>()),
        });

        Assert.AreEqual(0, summary.WeightsStep);
        CollectionAssert.AreEqual(new[] { "training.lock" }, folder.Names);
    }

    // A checkpoint after every step. Seen to fail with: checkpoints of weights that no loss had shown to be good; the training that resumed from step 7 had nothing to take back and gave only NaN.
    [TestMethod]
    public void A_training_resumes_from_weights_that_give_a_finite_loss()
    {
        using TemporaryFolder folder = new();
        (TrainingSummary first, Tensor expected, int? atFirst) = Train();
        (TrainingSummary resumed, Tensor actual, int? latest) = Train();

        Assert.AreEqual((6, (int?)null), (first.WeightsStep, atFirst));
        Assert.AreEqual((6, (int?)6), (resumed.WeightsStep, latest));
        Assert.IsTrue(first.StoppedByNonFiniteSteps && resumed.StoppedByNonFiniteSteps);
        Assert.IsLessThan(1e-6, Ragged.RelativeError(actual, expected));

        (TrainingSummary, Tensor, int?) Train()
        {
            using CausalLanguageModel model = new CustomLanguageModel(new Fragile(limit: 0.06), contextLength: 24);
            using CheckpointFolder opened = CheckpointFolder.Open(folder.Path);
            CheckpointManager checkpoints = new(opened, 1, new Dictionary<string, string>());
            TrainingSummary summary = TrainingLoop.Run(new TrainingRun(model, Ragged.Examples(8), Options(1e-2) with { MaximumNonFiniteSteps = 3 }, Seed: 1) { Checkpoints = checkpoints });
            AssertFinite(model);
            return (summary, model.parameters().Single().detach().clone(), checkpoints.LatestStep);
        }
    }

    // Row 0 alone is trained on; the row of token 1 in the table is not used and only decays: by 1 - 1e36 times a weight of 1e10.
    [TestMethod]
    public void A_step_that_loses_weights_to_infinity_is_not_applied()
    {
        using var scope = NewDisposeScope();
        using ProbedNetwork network = new((_, _) => { });
        using CausalLanguageModel model = new CustomLanguageModel(network, contextLength: 24);
        using (no_grad())
            model.parameters().Single()[1].fill_(1e10);
        byte[] before = Weights(model);
        TokenExample row = new([0, 0, 0], [2, 2, 2], 3, 0);
        List<StepReport> steps = [];
        TrainingOptions options = Options(1e30) with { MaximumSteps = 1, Optimizer = new AdamWOptions { WeightDecay = 1e6, DecayRule = WeightDecayRule.All } };
        TrainingSummary summary = TrainingLoop.Run(model, [row], options, seed: 1, steps.Add);

        Assert.AreEqual((StepOutcome.NonFinite, true), (steps.Single().Outcome, double.IsFinite(steps.Single().Loss)));
        Assert.AreEqual((1, 0), (summary.NonFiniteSteps, summary.WeightsStep));
        CollectionAssert.AreEqual(before, Weights(model));
    }

    [TestMethod]
    [DataRow(true, "of step 6")]
    [DataRow(false, "that training began with")]
    public void The_log_says_which_weights_the_model_has_and_it_can_be_used(bool fragile, string weights)
    {
        var mlContext = new MLContext(seed: 1);
        List<string> log = Tiny.LogOf(mlContext);
        var options = Tiny.Options(steps: 40);
        options.LearningRate = fragile ? 1e-2 : 1e30;
        if (fragile)
            options.Model = LanguageModel.Custom("fragile", () => new Fragile(0.06, 257), contextLength: 64);
        using var model = Tiny.Train(mlContext, options);
        TrainingSummary summary = model.Training!;

        Assert.ContainsSingle(line => line.Contains("Training stopped early: 10 steps in a row were not finite."), log);
        Assert.ContainsSingle(line => line.Contains($"The model has the weights {weights}: no later step gave weights with which a finite loss could be computed."), log, string.Join("\n", log));
        Assert.AreEqual(fragile ? 6 : 0, summary.WeightsStep);
        Assert.IsTrue(double.IsFinite(mlContext.CausalLanguageModeling.Evaluate(model.Transform(Tiny.Rows(mlContext, Tiny.Texts))).Loss));
        mlContext.Model.Save(model, null, new MemoryStream());
    }

    private static TrainingOptions Options(double learningRate) => new()
    {
        BatchSize = 4,
        MaximumSteps = 60,
        LearningRate = learningRate,
        Schedule = new() { WarmupSteps = 0, MinimumLearningRateRatio = 1 },
        Batching = new() { MaximumTokensPerMicroBatch = 64, Threads = 1 },
    };

    private static void AssertFinite(CausalLanguageModel model)
    {
        Assert.IsTrue(model.parameters().All(parameter => isfinite(parameter).all().item<bool>()), "the weights are finite");
        Assert.IsTrue(double.IsFinite(new RowScorer(model).Score(Ragged.Examples(8)).Sum(row => row.LossSum)), "the loss is finite");
    }

    private static byte[] Weights(CausalLanguageModel model) => [.. model.parameters().SelectMany(parameter => parameter.detach().cpu().bytes.ToArray())];
}
