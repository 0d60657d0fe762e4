using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Optimization;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using OptimizerOptions = MLNetExtension.Training.Optimization.OptimizerOptions;

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
        (Tensor before, Tensor step, Tensor back, bool kept) = StepAndBack(learningRate, new AdamWOptions { WeightDecay = weightDecay });

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
        AssertTakenBackExactly(StepAndBack(learningRate, new AdamWOptions { WeightDecay = weightDecay, Beta1 = beta1, Beta2 = beta2, Epsilon = epsilon }));
    }

    public static IEnumerable<OptimizerOptions> Others => [new AdamWOptions { StateBits = 8 }, new MuonOptions(), new AdafactorOptions(), new LionOptions(), new SgdOptions()];

    // What their steps were cannot be told from the state.
    [TestMethod]
    [DynamicData(nameof(Others))]
    public void A_step_of_another_optimizer_is_taken_back_exactly(OptimizerOptions options)
    {
        using var scope = NewDisposeScope();
        AssertTakenBackExactly(StepAndBack(1e-3, options));
    }

    private static void AssertTakenBackExactly((Tensor Before, Tensor Step, Tensor Back, bool Kept) result)
    {
        Assert.IsTrue(result.Kept);
        CollectionAssert.AreEqual(result.Before.bytes.ToArray(), result.Back.bytes.ToArray());
        CollectionAssert.AreNotEqual(result.Before.bytes.ToArray(), result.Step.bytes.ToArray(), "the control: the step mattered");
    }

    private static (Tensor Before, Tensor Step, Tensor Back, bool Kept) StepAndBack(double learningRate, OptimizerOptions options)
    {
        using Generator generator = new(7);
        Parameter matrix = nn.Parameter(randn([30, 40], generator: generator) * 0.02), bias = nn.Parameter(randn([50], generator: generator) * 0.02);
        using FlatParameters parameters = new([("matrix", matrix), ("bias", bias)]);
        using FlatOptimizer optimizer = new(parameters, options);
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
