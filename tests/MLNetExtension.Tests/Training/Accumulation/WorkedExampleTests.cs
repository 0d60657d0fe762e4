using MLNetExtension.Losses;
using MLNetExtension.Training.Accumulation;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Accumulation;

/// <summary>The examples of the article that this project starts from, worked with the numbers as it prints them.</summary>
/// <remarks>Seen to fail with: the mean of means divided by one micro-batch more; its scale left out of the objective, or of the gradient; the sum divided by the targets.</remarks>
[TestClass]
public sealed class WorkedExampleTests
{
    // 3 tokens with loss 1.5, 6 tokens with loss 3.0: both means are 0.5, so this example cannot tell the policies apart.
    [TestMethod]
    [DataRow(LossNormalization.Token, 0.5)]
    [DataRow(LossNormalization.MicroBatchMean, 0.5)]
    [DataRow(LossNormalization.Sum, 4.5)]
    public void Equal_means_hide_the_difference(LossNormalization normalization, double expected) =>
        Assert.AreEqual(expected, Objective(normalization, (1.5, 3), (3.0, 6)), 1e-15);

    [TestMethod]
    [DataRow(LossNormalization.Token, 7.5 / 9)]
    [DataRow(LossNormalization.MicroBatchMean, 0.75)]
    [DataRow(LossNormalization.Sum, 7.5)]
    public void Unequal_means_part_the_policies(LossNormalization normalization, double expected) =>
        Assert.AreEqual(expected, Objective(normalization, (1.5, 3), (6.0, 6)), 1e-15);

    // Batch A: 2,3,1,4 sums to 10; batch B: 1,2,3,1,2,1,4,3 sums to 17, not to the 20 that is printed.
    [TestMethod]
    [DataRow(LossNormalization.Token, 2.25)]
    [DataRow(LossNormalization.MicroBatchMean, 2.3125)]
    [DataRow(LossNormalization.Sum, 27.0)]
    public void Token_losses_as_printed(LossNormalization normalization, double expected)
    {
        double[] a = [2, 3, 1, 4], b = [1, 2, 3, 1, 2, 1, 4, 3];
        Assert.AreEqual(expected, Objective(normalization, (a.Sum(), a.Length), (b.Sum(), b.Length)), 1e-15);
    }

    // The loss of a micro-batch is made its sum times the one parameter, which is 1: the gradient must come to the objective too.
    private static double Objective(LossNormalization normalization, params (double Sum, int Targets)[] microBatches)
    {
        using var scope = NewDisposeScope();
        Parameter one = nn.Parameter(ones(1, dtype: float64));
        using FlatParameters parameters = new([("one", one)]);
        using GradientAccumulator accumulator = new(parameters, normalization);
        foreach ((double sum, int targets) in microBatches)
        {
            Tensor loss = (one * sum).sum();
            loss.backward([tensor(accumulator.Scale(targets), dtype: float64)]);
            accumulator.Add(new LossSum(loss.detach(), targets));
        }
        BatchLoss batch = accumulator.DivideGradient();
        Assert.AreEqual(batch.Objective, parameters.Gradients.item<double>(), 1e-15);
        return batch.Objective;
    }
}
