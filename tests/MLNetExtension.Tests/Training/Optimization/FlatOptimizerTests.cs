using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Optimization;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Optimization;

[TestClass]
public sealed class FlatOptimizerTests
{
    // torch.optim.AdamW is the independent implementation; only matrices are given to it with decay, as ours does by itself.
    [TestMethod]
    public void Steps_are_those_of_torchs_AdamW()
    {
        using var scope = NewDisposeScope();
        (Parameter matrix, Parameter bias) ours = Parameters(), theirs = Parameters();
        using FlatParameters parameters = new([("matrix", ours.matrix), ("bias", ours.bias)]);
        using FlatOptimizer optimizer = new(parameters, new AdamWOptions { Beta1 = 0.8, Beta2 = 0.9, Epsilon = 1e-6, WeightDecay = 0.3 });
        using optim.Optimizer matrixOptimizer = optim.AdamW([theirs.matrix], lr: 0.05, beta1: 0.8, beta2: 0.9, eps: 1e-6, weight_decay: 0.3);
        using optim.Optimizer biasOptimizer = optim.AdamW([theirs.bias], lr: 0.05, beta1: 0.8, beta2: 0.9, eps: 1e-6, weight_decay: 0);

        for (int step = 0; step < 20; step++)
        {
            Loss(ours).backward();
            optimizer.Step(0.05);
            parameters.ZeroGradients();

            Loss(theirs).backward();
            matrixOptimizer.step();
            biasOptimizer.step();
            matrixOptimizer.zero_grad();
            biasOptimizer.zero_grad();
        }

        Assert.AreEqual(20, optimizer.Steps);
        Assert.IsLessThan(1e-13, Ragged.RelativeError(ours.matrix.detach(), theirs.matrix.detach()));
        Assert.IsLessThan(1e-13, Ragged.RelativeError(ours.bias.detach(), theirs.bias.detach()));

        static Tensor Loss((Parameter matrix, Parameter bias) p) => ((p.matrix - 3).square() * p.bias).sum() + p.bias.pow(4).sum();
    }

    // With a gradient of zero only decay moves a weight: the matrix shrinks by lr * decay, the bias stays.
    [TestMethod]
    public void Decay_acts_on_matrices_alone()
    {
        using var scope = NewDisposeScope();
        (Parameter matrix, Parameter bias) = Parameters();
        double[] before = matrix.data<double>().ToArray();
        double[] biasBefore = bias.data<double>().ToArray();
        using FlatParameters parameters = new([("matrix", matrix), ("bias", bias)]);
        using FlatOptimizer optimizer = new(parameters, new AdamWOptions { WeightDecay = 0.5 });
        optimizer.Step(0.1);

        CollectionAssert.AreEqual(before.Select(v => v * (1 - 0.1 * 0.5)).ToArray(), matrix.data<double>().ToArray());
        CollectionAssert.AreEqual(biasBefore, bias.data<double>().ToArray());
    }

    [TestMethod]
    [DataRow(5.0, 1.0, 1.0, DisplayName = "a longer gradient is scaled to the maximum")]
    [DataRow(5.0, 6.0, 5.0, DisplayName = "a shorter one stays")]
    [DataRow(5.0, 0.0, 5.0, DisplayName = "0 switches clipping off")]
    public void Clipping_bounds_the_norm(double norm, double maximum, double expected)
    {
        using var scope = NewDisposeScope();
        Tensor gradient = tensor(new double[] { 3, -4 });
        GradientClipping.Clip(gradient, norm, maximum);
        Assert.AreEqual(expected, gradient.norm().ToDouble(), 1e-14);
    }

    private static (Parameter Matrix, Parameter Bias) Parameters() =>
        (nn.Parameter(arange(1, 7, dtype: float64).view(2, 3)), nn.Parameter(arange(1, 4, dtype: float64)));
}
