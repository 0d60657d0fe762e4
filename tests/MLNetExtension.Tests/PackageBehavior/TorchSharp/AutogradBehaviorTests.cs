using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.PackageBehavior.TorchSharp;

/// <summary>
/// TorchSharp's autograd adds into the gradient tensor that a parameter was given and goes on from a gradient that it is handed: exact accumulation in
/// <see cref="MLNetExtension.Training.Accumulation.FlatParameters"/> and <see cref="MLNetExtension.Training.Accumulation.MicroBatchGradient"/> rests on both.
/// </summary>
[TestClass]
public sealed class AutogradBehaviorTests
{
    [TestMethod]
    public void Gradients_accumulate_in_place_in_the_buffer_that_parameters_and_gradients_view()
    {
        using var scope = NewDisposeScope();
        Parameter first = nn.Parameter(tensor(new double[] { 1, 2 })), second = nn.Parameter(tensor(new double[] { 3, 4, 5, 6 }).view(2, 2));
        Tensor weights = zeros(6, dtype: float64), gradients = zeros(6, dtype: float64);
        IntPtr handle = first.Handle;
        using (no_grad())
        {
            weights.narrow(0, 0, 2).copy_(first);
            weights.narrow(0, 2, 4).copy_(second.view(4));
            first.set_(weights.narrow(0, 0, 2));
            second.set_(weights.narrow(0, 2, 4).view(2, 2));
        }
        first.grad = gradients.narrow(0, 0, 2);
        second.grad = gradients.narrow(0, 2, 4).view(2, 2);

        for (int i = 0; i < 2; i++)
            (second.matmul(first).sum() + (first * 10).sum()).backward();
        using (no_grad())
            weights.mul_(2);

        CollectionAssert.AreEqual(new double[] { 2 * (3 + 5 + 10), 2 * (4 + 6 + 10), 2, 4, 2, 4 }, gradients.data<double>().ToArray());
        CollectionAssert.AreEqual(new double[] { 2, 4 }, first.data<double>().ToArray());
        Assert.IsTrue(first.is_leaf && first.requires_grad);
        Assert.AreEqual(handle, first.Handle, "a parameter is recognised by its handle");
    }

    [TestMethod]
    public void A_detached_tensor_collects_a_gradient_of_its_own_from_which_a_backward_pass_goes_on()
    {
        using var scope = NewDisposeScope();
        Tensor weight = tensor(2.0).requires_grad_(), hidden = weight * 3, detached = hidden.detach().requires_grad_();

        (detached * 5).backward();
        (detached * 7).backward();
        Assert.IsNull(weight.grad);
        hidden.backward([detached.grad!]);

        Assert.AreEqual(12, detached.grad!.item<double>());
        Assert.AreEqual(36, weight.grad!.item<double>());
    }
}
