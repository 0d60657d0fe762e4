using MLNetExtension.Safetensors;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Safetensors;

[TestClass]
public sealed class FiniteBitsTests
{
    // Torch itself says which values are finite; each stands at every place of a tensor that vectors of 4 to 32 elements do not divide.
    [TestMethod]
    [DataRow(ScalarType.Float64)]
    [DataRow(ScalarType.Float32)]
    [DataRow(ScalarType.Float16)]
    [DataRow(ScalarType.BFloat16)]
    public void A_value_that_is_not_finite_is_found_at_every_place_and_no_other_is(ScalarType type)
    {
        using var scope = NewDisposeScope();
        double largest = finfo(type).max, smallest = finfo(type).tiny;
        foreach (double value in new[] { double.NaN, double.PositiveInfinity, double.NegativeInfinity, largest, -largest, smallest, -smallest / 2, 0, -0.0, 1 })
        {
            for (int place = 0; place < 37; place++)
            {
                using var each = NewDisposeScope();
                Tensor values = linspace(-1, 1, 37, dtype: float64).to(type);
                values[place] = tensor(value).to(type);
                Assert.AreEqual(values.isfinite().all().item<bool>(), FiniteBits.AreFinite(values), $"{value} at {place}");
            }
        }
    }

    [TestMethod]
    public void Elements_between_those_of_a_view_do_not_count()
    {
        using var scope = NewDisposeScope();
        Tensor whole = zeros(8, 6);
        whole[3, 2] = tensor(float.NaN);

        Assert.IsFalse(FiniteBits.AreFinite(whole.t()));
        Assert.IsTrue(FiniteBits.AreFinite(whole.narrow(1, 3, 3)));
        Assert.IsFalse(FiniteBits.AreFinite(whole.narrow(1, 2, 3)));
        Assert.IsTrue(FiniteBits.AreFinite(empty(0)));
        Assert.ThrowsExactly<NotSupportedException>(() => FiniteBits.AreFinite(whole.to(int32)));
    }
}
