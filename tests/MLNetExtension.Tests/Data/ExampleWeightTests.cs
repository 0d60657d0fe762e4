using MLNetExtension.Data;
using MLNetExtension.Training.Accumulation;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Data;

[TestClass]
public sealed class ExampleWeightTests
{
    // What all rows weigh divides itself out, up to the largest weight that is allowed. The control: near float32's largest number the divisor is infinite, and the gradient is nothing.
    [TestMethod]
    [DataRow(1e30, true)]
    [DataRow(1e-25, true)]
    [DataRow(3e38, false)]
    public void Rows_that_all_weigh_the_same_have_the_gradient_of_rows_that_weigh_1(double weight, bool holds)
    {
        using var scope = NewDisposeScope();
        Tensor expected = Gradient(1).Gradient;
        (BatchLoss loss, Tensor gradient) = Gradient(weight);

        if (holds)
            Assert.AreEqual(weight, ExampleWeight.Check((float)weight, "Weight", 0), weight * 1e-7);
        else
            Assert.ThrowsExactly<InvalidOperationException>(() => ExampleWeight.Check((float)weight, "Weight", 0));
        Assert.AreEqual(holds, loss.IsFinite && Ragged.RelativeError(gradient, expected) < 1e-4, $"{loss}");

        static (BatchLoss Loss, Tensor Gradient) Gradient(double weight)
        {
            TokenExample[] rows = [.. Enumerable.Range(0, 8).Select(row => Ragged.Example(new Random(row), 10, row, weight: weight))];
            return Ragged.Accumulate(Ragged.Split(rows, 4), dtype: ScalarType.Float32);
        }
    }
}
