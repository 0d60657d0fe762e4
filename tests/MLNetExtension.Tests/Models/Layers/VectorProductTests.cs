using MLNetExtension.Models.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models.Layers;

/// <summary>Products of a few vectors and a matrix.</summary>
[TestClass]
public sealed class VectorProductTests
{
    // Lengths that eight does not divide, rows that four does not, and enough of both for several threads. Seen to fail with: the results of all vectors in the
    // place of the first's; the end of a row left out; the scales of the first rows for all; vectors taken to lie one behind the other.
    [TestMethod]
    [DataRow(ScalarType.Float32, 1, 5, 3)]
    [DataRow(ScalarType.Float32, 1, 501, 700)]
    [DataRow(ScalarType.Float32, 3, 4, 64)]
    [DataRow(ScalarType.BFloat16, 1, 501, 700)]
    [DataRow(ScalarType.BFloat16, 4, 6, 13)]
    [DataRow(ScalarType.Int8, 1, 501, 700)]
    [DataRow(ScalarType.Int8, 2, 7, 29)]
    public void They_are_those_in_float64_up_to_float32_rounding(ScalarType type, long vectors, long outputs, long inputs)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        LinearWeight weight = Stored(type, outputs, inputs);
        // Columns of a larger matrix, so that vectors do not lie one behind the other.
        Tensor input = Random(vectors, inputs + 2).narrow(1, 1, inputs).unsqueeze(0);
        Assert.IsTrue(VectorProduct.Suits(input, weight));

        Tensor actual = VectorProduct.Multiply(input, weight);

        CollectionAssert.AreEqual(new[] { 1, vectors, outputs }, actual.shape);
        Tensor dense = weight.Values.to(float64) * (weight.Scales?.to(float64) ?? ones(1, 1, dtype: float64));
        Tensor expected = input.to(float64).matmul(dense.t()), bound = input.to(float64).abs().matmul(dense.abs().t());
        Assert.IsLessThan(1e-6, ((actual.to(float64) - expected).abs() / bound).max().ToDouble(), "by the sum of the absolute products");
        for (long v = 0; v < vectors; v++)
            CollectionAssert.AreEqual(actual[0, v].data<float>().ToArray(), VectorProduct.Multiply(input[0, v], weight).data<float>().ToArray(), "each as it is by itself, bit for bit");
    }

    [TestMethod]
    public void What_it_cannot_do_is_left_to_libtorch()
    {
        using var scope = NewDisposeScope();
        LinearWeight weight = Stored(ScalarType.Float32, 8, 16);
        Tensor one = Random(1, 16);
        Assert.IsFalse(VectorProduct.Suits(one, weight), "with gradients");
        using var _ = no_grad();
        Assert.IsTrue(VectorProduct.Suits(one, weight));
        Assert.IsFalse(VectorProduct.Suits(Random(5, 16), weight), "many vectors");
        Assert.IsFalse(VectorProduct.Suits(one.to(float64), weight));
        Assert.IsFalse(VectorProduct.Suits(one, new(weight.Values.to(float64))));
        Assert.IsFalse(VectorProduct.Suits(one, new(Random(16, 8).t())), "rows that do not lie one behind the other");
    }

    private static LinearWeight Stored(ScalarType type, long outputs, long inputs)
    {
        LinearWeight weight = new(empty(outputs, inputs, dtype: type), type == ScalarType.Int8 ? empty(outputs, 1) : null);
        weight.Store(0, Random(outputs, inputs));
        return weight;
    }

    private static Tensor Random(long rows, long columns)
    {
        using Generator generator = new((ulong)(rows * 1000 + columns));
        return empty(rows, columns).normal_(0, 1, generator);
    }
}
