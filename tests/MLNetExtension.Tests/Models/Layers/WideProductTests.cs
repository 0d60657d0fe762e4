using MLNetExtension.Models.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models.Layers;

/// <summary>Products of float32 matrices in vectors of 512 bits.</summary>
[TestClass]
public sealed class WideProductTests
{
    // One tile; tiles with missing rows and columns; several blocks of each kind, the last of them short; enough work for several threads.
    [TestMethod]
    [DataRow(12, 32, 8)]
    [DataRow(1, 1, 1)]
    [DataRow(13, 33, 9)]
    [DataRow(241, 1057, 257)]
    [DataRow(500, 70, 514)]
    [DataRow(30, 2100, 64)]
    public void They_are_those_in_float64_up_to_float32_rounding(int rows, int columns, int length)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using Generator generator = new(1);
        Tensor a = Random(rows, length, generator), b = Random(length, columns, generator), bias = Random(1, columns, generator)[0];
        Tensor expected = a.to(float64).mm(b.to(float64)), bound = a.to(float64).abs().mm(b.to(float64).abs()) + 1;
        foreach (Tensor left in new[] { a, a.t().contiguous().t(), Columns(a) })
        {
            foreach (Tensor right in new[] { b, b.t().contiguous().t(), Columns(b) })
            {
                // Columns of a larger matrix, of which nothing else may change.
                Tensor whole = full(rows, columns + 5, double.NaN), result = whole.narrow(1, 2, columns);
                WideProduct.Compute(result, left, right);
                RequireSame(expected, result, bound);
                WideProduct.Compute(result, left, right, adds: true);
                RequireSame(2 * expected, result, 2 * bound);
                WideProduct.Compute(result, left, right, bias);
                RequireSame(expected + bias, result, bound);
                Assert.AreEqual(rows * 5, whole.isnan().sum().ToInt64(), "what lies beside the result");
            }
        }
    }

    // So a row of a batch has the result that it has alone, and a split of a batch, of its rows or of its threads, changes nothing.
    [TestMethod]
    public void An_element_is_the_same_bit_for_bit_whatever_is_computed_with_it()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using Generator generator = new(2);
        Tensor a = Random(301, 300, generator), b = Random(300, 500, generator), whole = empty(301, 500), part = empty(7, 450);
        WideProduct.Compute(whole, a, b);
        WideProduct.Compute(part, a.narrow(0, 290, 7), b.narrow(1, 50, 450));
        CollectionAssert.AreEqual(whole.narrow(0, 290, 7).narrow(1, 50, 450).contiguous().data<float>().ToArray(), part.data<float>().ToArray());
    }

    // On machines where libtorch's own are as fast, they stay libtorch's; either way they are what autograd computes.
    [TestMethod]
    public void The_products_of_a_layer_are_those_of_libtorch()
    {
        using var scope = NewDisposeScope();
        using Generator generator = new(3);
        Tensor x = Random(150, 96, generator).requires_grad_(), weight = Random(130, 96, generator).requires_grad_(), bias = Random(1, 130, generator)[0].requires_grad_(), dy = Random(150, 130, generator);
        Tensor y = nn.functional.linear(x, weight, bias);
        y.backward([dy]);
        using var _ = no_grad();

        Tensor written = empty(150, 130), through = empty(150, 96), back = ones(150, 96), outer = ones(130, 96);
        MatrixProduct.Write(written, x, weight, bias);
        MatrixProduct.WriteBack(through, dy, weight);
        MatrixProduct.AddBack(back, dy, weight);
        MatrixProduct.AddOuter(outer, dy, x);

        RequireClose(y, written);
        RequireClose(y, MatrixProduct.Multiply(x, weight, bias));
        RequireClose(y, MatrixProduct.Multiply(x.view(3, 50, 96), weight, bias).view(150, 130));
        RequireClose(x.grad!, through);
        RequireClose(x.grad!, back - 1);
        RequireClose(weight.grad!, outer - 1);
    }

    private static Tensor Random(long rows, long columns, Generator generator) => randn([rows, columns], generator: generator);

    private static Tensor Columns(Tensor matrix) => cat([matrix, matrix, matrix], 1).narrow(1, matrix.shape[1], matrix.shape[1]);

    private static void RequireSame(Tensor expected, Tensor actual, Tensor bound) =>
        Assert.IsLessThan(1e-6, ((actual.to(float64) - expected).abs() / bound).max().ToDouble(), "by the sum of the absolute products");

    private static void RequireClose(Tensor expected, Tensor actual) => Assert.IsLessThan(1e-4, (actual - expected).abs().max().ToDouble());
}
