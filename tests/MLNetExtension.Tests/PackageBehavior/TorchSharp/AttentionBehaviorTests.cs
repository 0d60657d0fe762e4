using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace MLNetExtension.Tests.PackageBehavior.TorchSharp;

/// <summary>
/// TorchSharp's <c>scaled_dot_product_attention</c> is the softmax of scaled scores, in values and in gradients, however long rows are and wherever heads lie in memory:
/// <see cref="MLNetExtension.Models.Layers.CausalAttention"/> calls it for every row without dropout.
/// </summary>
[TestClass]
public sealed class AttentionBehaviorTests
{
    // 150 positions are more than one block of the kernel; a single query without a mask is how a cached position attends.
    [TestMethod]
    [DataRow(5, 5, true)]
    [DataRow(150, 150, true)]
    [DataRow(1, 9, false)]
    public void Attention_is_the_softmax_of_scaled_scores(int queries, int keys, bool causal)
    {
        using var scope = NewDisposeScope();
        Tensor[] inputs = [.. new[] { queries, keys, keys }.Select(length => randn(2, 3, length, 4, dtype: float64).requires_grad_())];

        Tensor attended = functional.scaled_dot_product_attention(inputs[0], inputs[1], inputs[2], is_casual: causal);

        AssertEqual(inputs, attended, Written(inputs[0], inputs[1], inputs[2], causal ? Causal(queries) : null));
    }

    [TestMethod]
    public void Heads_may_be_views_of_one_projection()
    {
        using var scope = NewDisposeScope();
        Tensor projected = randn(2, 7, 3 * 8, dtype: float64).requires_grad_();                                                   // [B,T,3C]
        Tensor[] heads = [.. projected.split(8, 2).Select(part => part.view(2, 7, 2, 4).transpose(1, 2))];                        // [B,H,T,D]

        Tensor attended = functional.scaled_dot_product_attention(heads[0], heads[1], heads[2], is_casual: true);

        AssertEqual([projected], attended.transpose(1, 2).reshape(2, 7, 8), Written(heads[0], heads[1], heads[2], Causal(7)).transpose(1, 2).reshape(2, 7, 8));
    }

    // One mask for all rows, [T,S], and one for each, [B,1,T,S]; true lets through.
    [TestMethod]
    public void A_mask_of_truth_values_lets_through_what_is_true()
    {
        using var scope = NewDisposeScope();
        Tensor[] inputs = [.. new[] { 3, 6, 6 }.Select(length => randn(2, 2, length, 4, dtype: float64).requires_grad_())];
        Tensor shared = Causal(6).narrow(0, 3, 3), perRow = stack([shared, shared.logical_and(arange(6).ge(2))]).unsqueeze(1);

        foreach (Tensor mask in new[] { shared, perRow })
            AssertEqual(inputs, functional.scaled_dot_product_attention(inputs[0], inputs[1], inputs[2], mask), Written(inputs[0], inputs[1], inputs[2], mask));
    }

    private static Tensor Causal(long positions) => ones(positions, positions, dtype: @bool).tril();

    private static Tensor Written(Tensor query, Tensor key, Tensor value, Tensor? mask)
    {
        Tensor scores = query.matmul(key.transpose(-2, -1)) / Math.Sqrt(query.shape[^1]);
        return (mask is null ? scores : scores.masked_fill(mask.logical_not(), double.NegativeInfinity)).softmax(-1).matmul(value);
    }

    private static void AssertEqual(Tensor[] inputs, Tensor actual, Tensor expected)
    {
        Tensor direction = randn_like(expected);
        IList<Tensor> gradients = autograd.grad([actual], inputs, [direction]), wanted = autograd.grad([expected], inputs, [direction]);
        Assert.IsLessThan(1e-12, (actual - expected).abs().max().item<double>());
        for (int i = 0; i < inputs.Length; i++)
            Assert.IsLessThan(1e-12, (gradients[i] - wanted[i]).abs().max().item<double>(), $"gradient {i}");
    }
}
