using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training;
using MLNetExtension.Training.Averaging;
using static MLNetExtension.Tests.Training.Averaging.AveragedTraining;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Averaging;

/// <summary>Validation measures the average, and the best that was measured is kept.</summary>
[TestClass]
public sealed class AveragingValidationTests
{
    // Dropout would show a random number drawn, or a training that went on from the average.
    [TestMethod]
    public void Validation_measures_the_average_and_the_model_has_the_best_that_was_measured()
    {
        using var scope = NewDisposeScope();
        double[] losses = [5, 4, 2, 3];
        List<Tensor> measured = [];
        Trained without = Train(Options(null), dropout: 0.1);
        Trained trained = Train(Options(WeightAveraging.Exponential(0.9)), dropout: 0.1, validate: model =>
        {
            measured.Add(Weights(model));
            return losses[measured.Count - 1];
        });

        double[] decays = [.. Enumerable.Range(0, Steps).Select(t => Math.Min(0.9, (1.0 + t) / (10 + t)))];
        Tensor average = trained.Weights[0].clone();
        for (int step = 1; step <= Steps; step++)
        {
            average = average * decays[step - 1] + trained.Weights[step] * (1 - decays[step - 1]);
            CollectionAssert.AreEqual(Bytes(without.Weights[step]), Bytes(trained.Weights[step]), $"the weights of step {step}");
            if (step % 5 == 0)
                Assert.IsLessThan(1e-12, Ragged.RelativeError(measured[step / 5 - 1], average), $"what was measured after step {step}");
        }
        Assert.AreEqual((2.0, 15, true, Steps), (trained.Summary.ValidationLoss, trained.Summary.BestStep, trained.Summary.HasAveragedWeights, trained.Summary.AveragedSteps));
        CollectionAssert.AreEqual(Bytes(measured[2]), Bytes(trained.Model));
    }

    // The last is the best: the model has the weights of that step, but not their average, until it gets it.
    [TestMethod]
    public void The_average_that_was_measured_last_may_be_the_best()
    {
        using var scope = NewDisposeScope();
        double loss = 9;
        List<Tensor> measured = [];
        Trained trained = Train(Options(WeightAveraging.Uniform(0.5)), validate: model =>
        {
            measured.Add(Weights(model));
            return loss--;
        });
        CollectionAssert.AreEqual(Bytes(measured[^1]), Bytes(trained.Model));
        Assert.IsLessThan(1e-12, Ragged.RelativeError(trained.Model, stack([.. trained.Weights[11..]]).mean([0])));
        CollectionAssert.AreEqual(Bytes(trained.Weights[5]), Bytes(measured[0]), "before its share of the training there is no average, and the weights are measured");
        Assert.AreEqual((Steps, true), (trained.Summary.BestStep, trained.Summary.HasAveragedWeights));
    }

    [TestMethod]
    public void The_best_weights_may_be_from_before_the_average()
    {
        using var scope = NewDisposeScope();
        double loss = 1;
        Trained trained = Train(Options(WeightAveraging.Uniform(0.5)), validate: _ => loss++);
        CollectionAssert.AreEqual(Bytes(trained.Weights[5]), Bytes(trained.Model));
        Assert.AreEqual((5, false), (trained.Summary.BestStep, trained.Summary.HasAveragedWeights));
    }

    [TestMethod]
    public void A_validation_that_fails_leaves_the_weights_that_are_trained()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model(layers: 1);
        Tensor last = Weights(model);
        Validation failing = new(_ => throw new InvalidDataException(), interval: 4);
        Trained without = Train(Options(null));
        Assert.ThrowsExactly<InvalidDataException>(() => TrainingLoop.Run(new TrainingRun(model, Ragged.Examples(18), Options(WeightAveraging.Exponential(0.9)), Seed: 1) { OnStep = _ => last = Weights(model), Validation = failing }));
        CollectionAssert.AreEqual(Bytes(without.Weights[3]), Bytes(last));
        CollectionAssert.AreEqual(Bytes(without.Weights[4]), Bytes(Weights(model)));
    }
}
