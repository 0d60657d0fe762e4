using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace MLNetExtension.Tests.Contracts.TorchSharp;

/// <summary>Scaled dot product attention against the written-out softmax, in float64: values and gradients.</summary>
[TestClass]
public sealed class AttentionContractTests
{
    private static Tensor Written(Tensor query, Tensor key, Tensor value, Tensor? mask)
    {
        Tensor scores = query.matmul(key.transpose(-2, -1)) / Math.Sqrt(query.shape[^1]);
        return (mask is null ? scores : scores + mask).softmax(-1).matmul(value);
    }

    private static Tensor CausalMask(long queries, long keys) =>
        zeros(queries, keys, dtype: float64).masked_fill(ones(queries, keys).tril().logical_not(), double.NegativeInfinity);

    private static void AssertEqual(Tensor[] inputs, Tensor actual, Tensor expected)
    {
        Tensor direction = randn_like(expected);
        IList<Tensor> gradients = autograd.grad([actual], inputs, [direction]), wanted = autograd.grad([expected], inputs, [direction]);
        Assert.IsLessThan(1e-12, (actual - expected).abs().max().item<double>());
        for (int i = 0; i < inputs.Length; i++)
            Assert.IsLessThan(1e-12, (gradients[i] - wanted[i]).abs().max().item<double>(), $"gradient {i}");
    }

    [TestMethod]
    [DataRow(5, 5, true)]
    [DataRow(150, 150, true)]
    [DataRow(5, 5, false)]
    [DataRow(70, 130, false)]
    [DataRow(1, 9, false)]
    public void Attention_is_the_softmax_of_scaled_scores(int queries, int keys, bool causal)
    {
        using var scope = NewDisposeScope();
        Tensor[] inputs = [.. new[] { queries, keys, keys }.Select(length => randn(2, 3, length, 4, dtype: float64).requires_grad_())];

        Tensor attended = functional.scaled_dot_product_attention(inputs[0], inputs[1], inputs[2], is_casual: causal);

        AssertEqual(inputs, attended, Written(inputs[0], inputs[1], inputs[2], causal ? CausalMask(queries, keys) : null));
    }

    [TestMethod]
    public void Heads_may_be_views_of_one_projection()
    {
        using var scope = NewDisposeScope();
        Tensor projected = randn(2, 7, 3 * 8, dtype: float64).requires_grad_();
        Tensor[] heads = [.. projected.split(8, 2).Select(part => part.view(2, 7, 2, 4).transpose(1, 2))];

        Tensor attended = functional.scaled_dot_product_attention(heads[0], heads[1], heads[2], is_casual: true);

        AssertEqual([projected], attended.transpose(1, 2).reshape(2, 7, 8),
            Written(heads[0], heads[1], heads[2], CausalMask(7, 7)).transpose(1, 2).reshape(2, 7, 8));
    }

    [TestMethod]
    public void A_mask_of_numbers_is_added_and_a_mask_of_truths_lets_through()
    {
        using var scope = NewDisposeScope();
        Tensor[] inputs = [.. Enumerable.Range(0, 3).Select(_ => randn(2, 2, 6, 4, dtype: float64).requires_grad_())];
        Tensor seen = ones(6, 6, dtype: @bool).tril(), added = CausalMask(6, 6) + 0.25 * eye(6, dtype: float64);

        AssertEqual(inputs, functional.scaled_dot_product_attention(inputs[0], inputs[1], inputs[2], added), Written(inputs[0], inputs[1], inputs[2], added));
        AssertEqual(inputs, functional.scaled_dot_product_attention(inputs[0], inputs[1], inputs[2], seen),
            Written(inputs[0], inputs[1], inputs[2], CausalMask(6, 6)));
    }

    [TestMethod]
    public void A_later_position_never_reaches_an_earlier_one()
    {
        using var scope = NewDisposeScope();
        Tensor query = randn(1, 1, 80, 4), key = randn(1, 1, 80, 4), value = randn(1, 1, 80, 4);
        Tensor before = functional.scaled_dot_product_attention(query, key, value, is_casual: true);
        key[0, 0, 40].fill_(100);
        value[0, 0, 40].fill_(100);

        Tensor after = functional.scaled_dot_product_attention(query, key, value, is_casual: true);

        Assert.IsTrue(before.narrow(2, 0, 40).Equals(after.narrow(2, 0, 40)));
        Assert.IsFalse(before.narrow(2, 40, 40).Equals(after.narrow(2, 40, 40)));
    }

    [TestMethod]
    public void A_causal_call_takes_no_mask_and_dropout_is_not_negative()
    {
        using var scope = NewDisposeScope();
        Tensor x = ones(1, 1, 2, 2);
        Assert.ThrowsExactly<ArgumentException>(() => functional.scaled_dot_product_attention(x, x, x, ones(2, 2), is_casual: true));
        Assert.ThrowsExactly<ArgumentException>(() => functional.scaled_dot_product_attention(x, x, x, p: -0.1));
    }
}
