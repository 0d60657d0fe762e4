using MLNetExtension.Evaluation;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training;
using MLNetExtension.Training.Averaging;
using MLNetExtension.Training.Optimization;
using MLNetExtension.Training.Reports;
using static MLNetExtension.Tests.Training.Averaging.AveragedTraining;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Averaging;

/// <summary>A training that is interrupted or extended has the average of one that was not.</summary>
[TestClass]
public sealed class AveragingResumeTests
{
    public static IEnumerable<object[]> Interruptions =>
        from kind in new[] { "exponential", "uniform" }
        from validated in new[] { false, true }
        from steps in new[] { new[] { 7 }, new[] { 10, 11, 16 }, new[] { 18 } }
        select new object[] { kind, validated, steps };

    [TestMethod]
    [DynamicData(nameof(Interruptions))]
    public void A_resumed_training_has_the_average_of_an_uninterrupted_one_bit_for_bit(string kind, bool validated, int[] interruptions)
    {
        using var scope = NewDisposeScope();
        WeightAveraging averaging = kind == "uniform" ? WeightAveraging.Uniform(0.5, 2) : WeightAveraging.Exponential(0.9);
        TrainingOptions options = Options(averaging) with { Regularization = new() { EmbeddingNoise = 5, Averaging = averaging } };
        Func<CausalLanguageModel, double>? validate = validated ? model => new RowScorer(model).Score(Ragged.Examples(3, seed: 4)).Sum(row => row.LossSum) : null;
        Trained expected = Train(options, ScalarType.Float32, dropout: 0.1, validate: validate);
        using TemporaryFolder folder = new();
        using Gpt2Model model = Ragged.Model(ScalarType.Float32, dropout: 0.1, layers: 1);
        foreach (int interruption in interruptions)
        {
            using CancellationTokenSource source = new();
            Assert.ThrowsExactly<OperationCanceledException>(() => GoOn(model, options, folder, validate, source.Token, step => { if (step.Step == interruption) source.Cancel(); }));
        }
        TrainingSummary summary = GoOn(model, options, folder, validate);

        CollectionAssert.AreEqual(Bytes(expected.Model), Bytes(Weights(model)));
        Assert.AreEqual((expected.Summary.AveragedSteps, expected.Summary.ValidationLoss, expected.Summary.BestStep, expected.Summary.HasAveragedWeights),
            (summary.AveragedSteps, summary.ValidationLoss, summary.BestStep, summary.HasAveragedWeights));
    }

    // Twice the steps: what was the last half of the training is now the second quarter.
    [TestMethod]
    public void An_extended_training_averages_the_end_of_the_whole()
    {
        using var scope = NewDisposeScope();
        TrainingOptions options = Options(WeightAveraging.Uniform(0.5)) with { Schedule = new() { Shape = ScheduleShape.Constant, WarmupSteps = 2 } };
        using TemporaryFolder folder = new();
        using Gpt2Model model = Ragged.Model(layers: 1);
        TrainingSummary half = GoOn(model, options with { MaximumSteps = 10 }, folder);
        List<Tensor> weights = [];
        TrainingSummary whole = GoOn(model, options, folder, onStep: _ => weights.Add(Weights(model)));
        Assert.AreEqual((5, 10), (half.AveragedSteps, whole.AveragedSteps));
        Assert.IsLessThan(1e-12, Ragged.RelativeError(Weights(model), stack([.. weights]).mean([0])));
    }
}
