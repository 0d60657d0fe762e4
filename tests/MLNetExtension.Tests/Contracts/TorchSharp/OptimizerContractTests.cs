using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Contracts.TorchSharp;

/// <summary>The optimizers that ours are compared with, against their formulas in float64.</summary>
[TestClass]
public sealed class OptimizerContractTests
{
    private static readonly double[][] Gradients = [[0.5, -2, 0], [1, 1, -3], [-0.25, 4, 2]];

    private static double[] Run(Parameter parameter, optim.Optimizer optimizer)
    {
        foreach (double[] gradient in Gradients)
        {
            using var scope = NewDisposeScope();
            optimizer.zero_grad();
            (parameter * tensor(gradient)).sum().backward();
            optimizer.step();
        }
        return parameter.data<double>().ToArray();
    }

    [TestMethod]
    public void AdamW_decays_apart_from_its_corrected_moments()
    {
        const double lr = 0.1, beta1 = 0.8, beta2 = 0.95, eps = 1e-6, decay = 0.05;
        double[] weights = [1, -2, 3], average = new double[3], square = new double[3];
        using var parameter = nn.Parameter(tensor(weights));
        using AdamW optimizer = optim.AdamW([parameter], lr, beta1, beta2, eps, decay);

        double[] actual = Run(parameter, optimizer);

        for (int t = 1; t <= Gradients.Length; t++)
        {
            for (int i = 0; i < 3; i++)
            {
                double g = Gradients[t - 1][i];
                weights[i] *= 1 - lr * decay;
                average[i] = beta1 * average[i] + (1 - beta1) * g;
                square[i] = beta2 * square[i] + (1 - beta2) * g * g;
                weights[i] -= lr * (average[i] / (1 - Math.Pow(beta1, t))) / (Math.Sqrt(square[i] / (1 - Math.Pow(beta2, t))) + eps);
            }
        }
        for (int i = 0; i < 3; i++) Assert.AreEqual(weights[i], actual[i], 1e-12);
    }

    [TestMethod]
    public void Weight_decay_is_off_unless_asked_for_and_the_rate_can_be_changed()
    {
        using var parameter = nn.Parameter(tensor(new double[] { 1, -2, 3 }));
        using AdamW optimizer = optim.AdamW([parameter]);

        Assert.AreEqual(1e-3, optimizer.ParamGroups.Single().LearningRate);
        foreach (var group in optimizer.ParamGroups) group.LearningRate = 0;
        CollectionAssert.AreEqual(new double[] { 1, -2, 3 }, Run(parameter, optimizer));
        Assert.ThrowsExactly<ArgumentException>(() => optim.AdamW([parameter], lr: -1));
    }

    [TestMethod]
    public void Stochastic_gradient_descent_steps_along_its_momentum()
    {
        double[] weights = [1, -2, 3], momentum = new double[3];
        using var parameter = nn.Parameter(tensor(weights));
        using SGD optimizer = optim.SGD([parameter], 0.1, momentum: 0.9);

        double[] actual = Run(parameter, optimizer);

        foreach (double[] gradient in Gradients)
        {
            for (int i = 0; i < 3; i++) weights[i] -= 0.1 * (momentum[i] = 0.9 * momentum[i] + gradient[i]);
        }
        for (int i = 0; i < 3; i++) Assert.AreEqual(weights[i], actual[i], 1e-12);
    }

    [TestMethod]
    public void Groups_have_their_own_options()
    {
        using Parameter first = nn.Parameter(tensor(new double[] { 1, 1, 1 })), second = nn.Parameter(tensor(new double[] { 1, 1, 1 }));
        using SGD optimizer = optim.SGD([new SGD.ParamGroup([first], lr: 1), new SGD.ParamGroup([second], lr: 0.5)], 0.1);
        using (var scope = NewDisposeScope()) (first + second).sum().backward();

        optimizer.step();

        Assert.AreEqual((0, 0.5), (first.data<double>()[0], second.data<double>()[0]));
    }

    [TestMethod]
    public void Clipping_scales_all_gradients_to_the_norm_and_returns_what_it_was()
    {
        using var scope = NewDisposeScope();
        Parameter first = nn.Parameter(zeros(2, dtype: float64)), second = nn.Parameter(zeros(1, dtype: float64)), without = nn.Parameter(zeros(1));
        first.grad = tensor(new double[] { 3, 0 });
        second.grad = tensor(new double[] { 4 });

        Assert.AreEqual(5, nn.utils.clip_grad_norm_([first, second, without], 1), 1e-6);
        Assert.AreEqual(0.6, first.grad!.data<double>()[0], 1e-6);
        Assert.AreEqual(1, nn.utils.clip_grad_norm_([first, second], 10), 1e-6);
        Assert.AreEqual(0.8, second.grad!.data<double>()[0], 1e-6);
    }
}
