using System.Runtime.InteropServices;
using MLNetExtension.Training.Splitting;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.PackageBehavior.TorchSharp;

/// <summary>Small habits of TorchSharp's tensors that our code counts on without asking; each test names the types that do.</summary>
[TestClass]
public sealed class TensorBehaviorTests
{
    // MLNetExtension.Training.Accumulation.MicroBatchGradient adds the gradients of tokens that occur more than once, MLNetExtension.Models.Layers.MixtureOfExperts a token's experts,
    // MLNetExtension.Losses.RouterBalanceLoss counts, MLNetExtension.Losses.LinearCrossEntropy copies.
    [TestMethod]
    public void Rows_that_are_named_twice_are_added_twice()
    {
        using var scope = NewDisposeScope();
        Tensor rows = arange(6, dtype: float64).view(3, 2), named = tensor(new long[] { 2, 0, 2 }), values = ones(3, 2, dtype: float64).requires_grad_();

        Tensor added = rows.index_add(0, named, values, 1);
        added.square().sum().backward();
        CollectionAssert.AreEqual(new double[] { 1, 2, 2, 3, 6, 7 }, added.data<double>().ToArray());
        CollectionAssert.AreEqual(new double[] { 12, 14, 2, 4, 12, 14 }, values.grad!.data<double>().ToArray());

        rows.index_add_(0, named, values.detach(), 1);
        rows.index_copy_(0, tensor(new long[] { 1 }), full(1, 2, 8.0, dtype: float64));
        CollectionAssert.AreEqual(new double[] { 1, 2, 8, 8, 6, 7 }, rows.data<double>().ToArray());
    }

    // A number that widened a tensor would take half-precision models out of half precision (MLNetExtension.Models.Lora.LowRankAdapter, Activation, RmsNorm); AdaptableLinear sums in the wider
    // of two types; CausalAttention and KeyValueCache index by what arange gives.
    [TestMethod]
    public void A_number_leaves_a_tensors_type_alone_and_the_wider_of_two_tensors_decides()
    {
        using var scope = NewDisposeScope();
        Tensor half = ones(2, dtype: bfloat16), single = ones(2, dtype: float32), twice = ones(2, dtype: float64);

        Assert.AreEqual(bfloat16, (half * 2.0 + 1e-6).dtype);
        Assert.AreEqual(float32, (single * 2.0 + 1e-6).rsqrt().dtype);
        Assert.AreEqual(float32, (half + single).dtype);
        Assert.AreEqual(float64, (single * twice).dtype);
        Assert.AreEqual(int64, arange(3L, 5L).dtype);
        Assert.AreEqual(@bool, arange(3L, 5L).gt(ones(2, dtype: int64) - 1).dtype);
    }

    // Another handle would be one more tensor to free: MLNetExtension.Models.Layers.WeightInitializer, MLNetExtension.Training.Optimization.AdamW, MLNetExtension.Training.BestWeights.
    [TestMethod]
    public void An_operation_in_place_returns_the_tensor_that_it_was_called_on()
    {
        using var scope = NewDisposeScope();
        Tensor one = ones(3);

        Assert.AreSame(one, one.mul_(0.5).add_(one, 2).sub_(one / 2).div_(2));
        Assert.AreSame(one, one.normal_(0, 1).copy_(ones(3)).sqrt_().exp_().neg_());
        Assert.AreSame(one, one.addcmul_(one, one, 1).addcdiv_(one, one, 1).scatter_add_(0, tensor(new long[] { 0 }), ones(1)));
        Assert.AreSame(one, one.requires_grad_());
    }

    // MLNetExtension.Training.Splitting.OutOfMemory knows it by its type and its words; a step is then taken again in smaller micro-batches.
    [TestMethod]
    public void Memory_that_cannot_be_had_is_an_external_exception_that_says_so()
    {
        using var scope = NewDisposeScope();
        ExternalException error = Assert.ThrowsExactly<ExternalException>(() => empty(1L << 50));

        Assert.IsTrue(OutOfMemory.Caused(error), error.Message);
        ExternalException other = Assert.ThrowsExactly<ExternalException>(() => ones(2, 3).mm(ones(2, 3)));
        Assert.IsFalse(OutOfMemory.Caused(other), other.Message);
    }
}
