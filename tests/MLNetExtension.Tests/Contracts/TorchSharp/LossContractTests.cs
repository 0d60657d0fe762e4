using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace MLNetExtension.Tests.Contracts.TorchSharp;

/// <summary>Cross entropy against its written-out definition, in float64.</summary>
[TestClass]
public sealed class LossContractTests
{
    private static readonly long[] Targets = [2, -100, 0, 4, -100, 1];

    private static (Tensor Logits, Tensor Targets, double[] Losses) Example()
    {
        using var generator = new Generator(7);
        Tensor logits = randn(6, 5, dtype: float64, generator: generator).requires_grad_();
        Tensor negative = -(logits - logits.logsumexp(1, keepdim: true)).detach();
        var losses = Targets.Select((target, row) => target < 0 ? 0 : negative[row, target].item<double>()).ToArray();
        return (logits, tensor(Targets), losses);
    }

    [TestMethod]
    public void The_sum_runs_over_targets_that_are_not_ignored()
    {
        using var scope = NewDisposeScope();
        (Tensor logits, Tensor targets, double[] losses) = Example();

        Tensor loss = functional.cross_entropy(logits, targets, reduction: Reduction.Sum);
        loss.backward();

        Assert.AreEqual(losses.Sum(), loss.item<double>(), 1e-12);
        Tensor expected = logits.softmax(1).detach();
        for (int row = 0; row < Targets.Length; row++)
        {
            if (Targets[row] < 0) expected[row].fill_(0);
            else expected[row, Targets[row]].sub_(1);
        }
        Assert.IsLessThan(1e-12, (logits.grad! - expected).abs().max().item<double>());
    }

    [TestMethod]
    public void The_mean_is_divided_by_the_targets_that_are_not_ignored_and_none_gives_every_loss()
    {
        using var scope = NewDisposeScope();
        (Tensor logits, Tensor targets, double[] losses) = Example();

        Assert.AreEqual(losses.Sum() / 4, functional.cross_entropy(logits, targets).item<double>(), 1e-12);
        double[] every = functional.cross_entropy(logits, targets, reduction: Reduction.None).data<double>().ToArray();
        for (int row = 0; row < every.Length; row++) Assert.AreEqual(losses[row], every[row], 1e-12);
    }

    [TestMethod]
    public void Nothing_but_ignored_targets_sums_to_zero_and_has_no_mean()
    {
        using var scope = NewDisposeScope();
        Tensor logits = zeros(2, 3, dtype: float64).requires_grad_(), none = full(2, -100L, dtype: int64);

        Tensor sum = functional.cross_entropy(logits, none, reduction: Reduction.Sum);
        sum.backward();

        Assert.AreEqual(0, sum.item<double>());
        Assert.AreEqual(0, logits.grad!.abs().sum().item<double>());
        Assert.IsTrue(double.IsNaN(functional.cross_entropy(logits, none).item<double>()));
    }

    [TestMethod]
    public void Label_smoothing_spreads_its_share_over_all_classes_of_a_target_that_counts()
    {
        using var scope = NewDisposeScope();
        (Tensor logits, Tensor targets, double[] losses) = Example();
        Tensor negative = -logits.log_softmax(1);

        double expected = 0;
        for (int row = 0; row < Targets.Length; row++)
            if (Targets[row] >= 0) expected += 0.9 * losses[row] + 0.1 * negative[row].mean().item<double>();

        Assert.AreEqual(expected, functional.cross_entropy(logits, targets, reduction: Reduction.Sum, label_smoothing: 0.1).item<double>(), 1e-12);
    }

    [TestMethod]
    public void Another_index_can_be_the_ignored_one_and_a_target_outside_the_classes_is_an_error()
    {
        using var scope = NewDisposeScope();
        Tensor logits = zeros(2, 3, dtype: float64);

        Assert.AreEqual(Math.Log(3), functional.cross_entropy(logits, tensor(new long[] { 0, 2 }), ignore_index: 2, reduction: Reduction.Sum).item<double>(), 1e-12);
        StringAssert.Contains(Assert.ThrowsExactly<System.Runtime.InteropServices.ExternalException>(
            () => functional.cross_entropy(logits, tensor(new long[] { 0, 3 }))).Message, "out of bounds");
    }
}
