using System.Runtime.InteropServices;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Contracts.TorchSharp;

/// <summary>Gradients: what the arena and the chunked loss rest on.</summary>
[TestClass]
public sealed class AutogradContractTests
{
    [TestMethod]
    public void Gradients_accumulate_in_place_in_the_buffer_that_parameters_and_gradients_view()
    {
        using var scope = NewDisposeScope();
        Parameter first = nn.Parameter(tensor(new double[] { 1, 2 })), second = nn.Parameter(tensor(new double[] { 3, 4, 5, 6 }).view(2, 2));
        Tensor weights = zeros(6, dtype: float64), gradients = zeros(6, dtype: float64);
        using (no_grad())
        {
            weights.narrow(0, 0, 2).copy_(first);
            weights.narrow(0, 2, 4).copy_(second.view(4));
            first.set_(weights.narrow(0, 0, 2));
            second.set_(weights.narrow(0, 2, 4).view(2, 2));
        }
        first.grad = gradients.narrow(0, 0, 2);
        second.grad = gradients.narrow(0, 2, 4).view(2, 2);

        for (int i = 0; i < 2; i++) (second.matmul(first).sum() + (first * 10).sum()).backward();
        using (no_grad()) weights.mul_(2);

        CollectionAssert.AreEqual(new double[] { 2 * (3 + 5 + 10), 2 * (4 + 6 + 10), 2, 4, 2, 4 }, gradients.data<double>().ToArray());
        CollectionAssert.AreEqual(new double[] { 2, 4 }, first.data<double>().ToArray());
        Assert.IsTrue(first.is_leaf && first.requires_grad);
        gradients.fill_(0);
        Assert.AreEqual(0, second.grad!.abs().sum().item<double>());
    }

    [TestMethod]
    public void A_backward_pass_starts_from_given_gradients()
    {
        using var scope = NewDisposeScope();
        Tensor leaf = tensor(new double[] { 1, 2, 3 }).requires_grad_();

        leaf.square().backward([tensor(new double[] { 1, 10, 100 })]);

        CollectionAssert.AreEqual(new double[] { 2, 40, 600 }, leaf.grad!.data<double>().ToArray());
    }

    [TestMethod]
    public void A_backward_pass_frees_its_graph_unless_it_is_retained()
    {
        using var scope = NewDisposeScope();
        Tensor leaf = ones(2).requires_grad_(), loss = leaf.exp().sum();

        loss.backward(retain_graph: true);
        loss.backward();

        StringAssert.Contains(Assert.ThrowsExactly<ExternalException>(() => loss.backward()).Message, "backward through the graph a second time");
    }

    [TestMethod]
    public void A_backward_pass_can_be_kept_to_some_inputs_and_be_differentiated_again()
    {
        using var scope = NewDisposeScope();
        Tensor x = tensor(3.0).requires_grad_(), y = tensor(5.0).requires_grad_();

        (x * y).backward(inputs: [x]);
        Assert.AreEqual(5, x.grad!.item<double>());
        Assert.IsNull(y.grad);

        Tensor slope = autograd.grad([x.pow(3)], [x], create_graph: true)[0];
        Assert.AreEqual(27, slope.item<double>());
        Assert.AreEqual(18, autograd.grad([slope], [x])[0].item<double>());
    }

    [TestMethod]
    public void Nothing_is_recorded_without_gradients_or_after_detaching()
    {
        using var scope = NewDisposeScope();
        Tensor leaf = ones(2).requires_grad_();

        using (no_grad())
        {
            Assert.IsFalse(is_grad_enabled());
            Assert.IsFalse((leaf * 2).requires_grad);
            using (enable_grad()) Assert.IsTrue((leaf * 2).requires_grad);
        }
        using (inference_mode()) Assert.IsFalse((leaf * 2).requires_grad);
        Assert.IsTrue(is_grad_enabled());
        Assert.IsTrue((leaf * 2).requires_grad);
        Assert.IsFalse((leaf * 2).detach().requires_grad);
        Assert.IsFalse((leaf * 2).is_leaf);
        Assert.ThrowsExactly<ExternalException>(() => leaf.add_(1));
        Assert.ThrowsExactly<ExternalException>(() => leaf.detach().sum().backward());
    }

    [TestMethod]
    public void A_detached_tensor_shares_its_data_and_collects_its_own_gradient()
    {
        using var scope = NewDisposeScope();
        Tensor weight = tensor(2.0).requires_grad_(), hidden = weight * 3, cut = hidden.detach().requires_grad_();

        (cut * 5).backward();
        (cut * 7).backward();
        Assert.IsNull(weight.grad);
        hidden.backward([cut.grad!]);

        Assert.AreEqual(12, cut.grad!.item<double>());
        Assert.AreEqual(36, weight.grad!.item<double>());
    }

    [TestMethod]
    public void A_gradient_is_set_replaced_and_removed()
    {
        using var scope = NewDisposeScope();
        Tensor leaf = ones(2).requires_grad_(), between = leaf * 2;
        between.retain_grad();
        between.sum().backward();

        Assert.AreEqual(2f, between.grad!.sum().item<float>());
        leaf.grad = full(2, 5f);
        Assert.AreEqual(10f, leaf.grad!.sum().item<float>());
        leaf.grad = null;
        Assert.IsNull(leaf.grad);
        Assert.ThrowsExactly<ExternalException>(() => ones(2, dtype: int64).requires_grad_());
    }
}
