using MLNetExtension.Training.Accumulation;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Accumulation;

[TestClass]
public sealed class FlatGradientTests
{
    // Losses add to these buffers themselves: each must be its own parameter's piece of the sum.
    [TestMethod]
    public void Each_parameter_has_its_own_piece_of_the_gradient_and_a_foreign_one_is_refused()
    {
        using var scope = NewDisposeScope();
        Parameter first = nn.Parameter(ones(2, 2)), second = nn.Parameter(ones(1, 3)), foreign = nn.Parameter(ones(4, 5));
        using FlatParameters parameters = new([("first", first), ("second", second)]);

        parameters.GradientOf(second).add_(7);

        CollectionAssert.AreEqual(new float[] { 0, 0, 0, 0, 7, 7, 7 }, parameters.Gradients.data<float>().ToArray());
        StringAssert.Contains(Assert.ThrowsExactly<KeyNotFoundException>(() => parameters.GradientOf(foreign)).Message, "[4, 5]");
    }
}
