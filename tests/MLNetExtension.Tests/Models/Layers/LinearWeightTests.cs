using MLNetExtension.Models.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models.Layers;

/// <summary>Weights that are stored in fewer bits: what is stored, and products with it, which run in several tiles here.</summary>
[TestClass]
public sealed class LinearWeightTests
{
    private const long Inputs = 12, Outputs = 50_003, First = 20_001, Count = 25_000;    // a tile has 21,845 rows

    // Seen to fail with: tiles that all begin at the first row; the scales of the first rows for every tile; each tile in place of the sum of all in the gradient.
    [TestMethod]
    [DataRow(ScalarType.Int8)]
    [DataRow(ScalarType.BFloat16)]
    [DataRow(ScalarType.Float64)]
    public void Products_are_those_with_the_whole_matrix(ScalarType type)
    {
        using var scope = NewDisposeScope();
        LinearWeight weight = Stored(type, Random(Outputs, Inputs));
        Tensor dense = weight.Values.to(float64);
        if (weight.Scales is { } scales)
            dense = dense * scales;
        Tensor rows = dense.narrow(0, First, Count), input = Random(3, Inputs), gradient = Random(3, Count), bias = Random(1, Count)[0];

        AssertClose(rows, weight.Rows(First, Count).to(float64));
        AssertClose(input.mm(rows.t()) + bias, Written(bias));
        AssertClose(input.mm(rows.t()), Written(bias: null));
        AssertClose(gradient.mm(rows), weight.MultiplyBack(gradient, First));
        Tensor leaf = input.view(1, 3, Inputs).clone().requires_grad_(), output = weight.Apply(leaf, First, Count);
        output.backward([gradient.view(1, 3, Count)]);
        AssertClose(input.mm(rows.t()).view(1, 3, Count), output.detach());
        AssertClose(gradient.mm(rows).view(1, 3, Inputs), leaf.grad!);

        Tensor Written(Tensor? bias)
        {
            Tensor output = full([3, Count], double.NaN, dtype: float64);
            weight.Write(output, input, First, bias);
            return output;
        }
    }

    // Row by row in plain arithmetic: the largest absolute value is 127 steps, halves go to even numbers. Seen to fail with: one scale for the matrix; truncation.
    [TestMethod]
    public void Integers_are_the_nearest_multiples_of_a_127th_of_the_rows_largest_weight()
    {
        using var scope = NewDisposeScope();
        double[][] rows = [[1, -0.5, 0.25, 0.003], [0, 0, 0, 0], [-127, 2.5, 3.5, -0.5], [1e-39, 0, -1e-39, 0], [3e38, -3e38, 1, 0], [.. Random(1, 4).data<double>()]];
        LinearWeight weight = Stored(ScalarType.Int8, tensor([.. rows.SelectMany(row => row)], [rows.Length, 4], dtype: float32), float32);
        float[] scales = weight.Scales!.data<float>().ToArray();
        for (int r = 0; r < rows.Length; r++)
        {
            float largest = rows[r].Max(value => Math.Abs((float)value));
            Assert.AreEqual(Math.Max(largest / 127, 1.1754944E-38f), scales[r], 1e-6f * scales[r]);
            for (int c = 0; c < 4; c++)
                Assert.AreEqual(Math.Round((float)rows[r][c] / (double)scales[r], MidpointRounding.ToEven), weight.Values[r, c].ToInt32(), $"row {r}, column {c}");
        }
        Assert.IsTrue(weight.Rows(0, rows.Length).isfinite().all().ToBoolean());
    }

    [TestMethod]
    [DataRow(ScalarType.Int8, 1.0 / 254)]
    [DataRow(ScalarType.BFloat16, 1.0 / 256)]
    public void Rows_are_stored_apart_from_others_and_within_half_a_step(ScalarType type, double halfStep)
    {
        using var scope = NewDisposeScope();
        LinearWeight weight = Stored(type, Random(30, Inputs));
        Tensor before = weight.Rows(0, 30).clone(), rows = Random(7, Inputs) * 10;
        weight.Store(5, rows);
        Tensor after = weight.Rows(0, 30);
        Assert.AreEqual(0, (after - before).narrow(0, 0, 5).abs().max().ToDouble());
        Assert.AreEqual(0, (after - before).narrow(0, 12, 18).abs().max().ToDouble());
        double error = ((after.narrow(0, 5, 7).to(float64) - rows).abs() / rows.abs().amax([1], keepdim: true)).max().ToDouble();
        Assert.IsLessThan(halfStep * 1.0001, error);
        Assert.IsGreaterThan(halfStep / 4, error);
    }

    private static LinearWeight Stored(ScalarType type, Tensor values, ScalarType? scaleType = null)
    {
        LinearWeight weight = new(empty(values.shape, dtype: type), type == ScalarType.Int8 ? empty(values.shape[0], 1, dtype: scaleType ?? float64) : null);
        weight.Store(0, values);
        return weight;
    }

    private static Tensor Random(long rows, long columns)
    {
        using Generator generator = new((ulong)(rows * columns));
        return empty(rows, columns, dtype: float64).normal_(0, 1, generator);
    }

    private static void AssertClose(Tensor expected, Tensor actual)
    {
        CollectionAssert.AreEqual(expected.shape, actual.shape);
        Assert.IsLessThan(1e-13, Ragged.RelativeError(actual, expected));
    }
}
