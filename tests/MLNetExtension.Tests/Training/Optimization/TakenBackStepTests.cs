using MLNetExtension.Training.Accumulation;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using AdamW = MLNetExtension.Training.Optimization.AdamW;

namespace MLNetExtension.Tests.Training.Optimization;

[TestClass]
public sealed class TakenBackStepTests
{
    // Weights of 0.02, as networks have them, and gradients of many sizes. Three roundings, each by half of a float32's spacing at most.
    [TestMethod]
    [DataRow(3e-3, 0.1)]
    [DataRow(0.1, 0.01)]
    public void An_ordinary_step_is_taken_back_up_to_rounding_without_a_copy(double learningRate, double weightDecay)
    {
        using var scope = NewDisposeScope();
        (Tensor before, Tensor step, Tensor back, bool kept) = StepAndBack(learningRate, weightDecay);

        Assert.IsFalse(kept);
        double largest = Math.Max(before.abs().max().ToDouble(), step.abs().max().ToDouble());
        Assert.IsLessThanOrEqualTo(3 * largest * Math.Pow(2, -24), (back - before).abs().max().ToDouble());
        Assert.IsGreaterThan(learningRate / 10, (step - before).abs().max().ToDouble(), "the control: the step mattered");
    }

    [TestMethod]
    [DataRow(0.2, 0.0, 0.9, 0.95, 1e-8)]
    [DataRow(1e20, 0.1, 0.9, 0.95, 1e-8)]
    [DataRow(0.05, 20.0, 0.9, 0.95, 1e-8)]     // the weights are multiplied by 0
    [DataRow(0.01, 0.1, 0.9, 0.5, 1e-8)]       // the second moment is forgotten first
    [DataRow(0.01, 0.1, 0.9, 0.95, 1e-30)]     // updates of any size
    public void A_step_that_loses_digits_is_taken_back_exactly(double learningRate, double weightDecay, double beta1, double beta2, double epsilon)
    {
        using var scope = NewDisposeScope();
        (Tensor before, Tensor step, Tensor back, bool kept) = StepAndBack(learningRate, weightDecay, beta1, beta2, epsilon);

        Assert.IsTrue(kept);
        CollectionAssert.AreEqual(before.bytes.ToArray(), back.bytes.ToArray());
        CollectionAssert.AreNotEqual(before.bytes.ToArray(), step.bytes.ToArray(), "the control: the step mattered");
    }

    private static (Tensor Before, Tensor Step, Tensor Back, bool Kept) StepAndBack(
        double learningRate, double weightDecay, double beta1 = 0.9, double beta2 = 0.95, double epsilon = 1e-8)
    {
        using Generator generator = new(7);
        Parameter matrix = nn.Parameter(randn([30, 40], generator: generator) * 0.02), bias = nn.Parameter(randn([50], generator: generator) * 0.02);
        using FlatParameters parameters = new([("matrix", matrix), ("bias", bias)]);
        using AdamW optimizer = new(parameters, beta1, beta2, epsilon, weightDecay);
        Tensor before = empty(0);
        for (int step = 0; step < 5; step++)
        {
            before = parameters.Values.clone();
            parameters.Gradients.copy_(randn([parameters.Length], generator: generator) * Math.Pow(10, step - 4));
            optimizer.Step(learningRate);
            parameters.ZeroGradients();
        }
        Tensor after = parameters.Values.clone();
        bool kept = optimizer.HasKeptWeights;
        optimizer.TakeBack();
        return (before, after, parameters.Values.clone(), kept);
    }
}
