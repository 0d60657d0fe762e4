using MLNetExtension.Models;
using MLNetExtension.Models.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models.Layers;

/// <summary>Activations 16 numbers at a time, beside libtorch's in float64.</summary>
[TestClass]
public sealed class WideActivationTests
{
    // Values and slopes are of the size of x, or of 1: how far they may be off is told in that, in units of float32's precision.
    private const double Precision = 5.96e-8;

    public static IEnumerable<object[]> All => Enum.GetValues<Activation>().Select(activation => new object[] { activation });

    public static IEnumerable<object[]> Cases =>
        from activation in Enum.GetValues<Activation>()
        from shape in new[] { (1, 1), (3, 16), (50, 37), (700, 128) }    // less than a vector, whole ones, a rest, enough for several threads
        select new object[] { activation, shape.Item1, shape.Item2 };

    [TestMethod]
    [DynamicData(nameof(Cases))]
    internal void Values_and_slopes_are_those_of_libtorch_in_float64(Activation activation, int rows, int columns)
    {
        using var scope = NewDisposeScope();
        using Generator generator = new(1);
        Tensor input = randn([rows, columns], generator: generator) * 4, leaf = input.to(float64).requires_grad_(), expected = activation.Apply(leaf);
        expected.backward([ones_like(expected)]);
        using var _ = no_grad();
        Tensor output = empty(rows, columns), second = empty(rows, columns), slopes = input.clone();

        WideActivation.Apply(activation, output, input);
        WideActivation.Differentiate(activation, second, slopes);

        RequireClose(expected.detach(), output, leaf.detach().abs());
        RequireClose(leaf.grad!, slopes, leaf.detach().abs().clamp_min(1));
        CollectionAssert.AreEqual(Numbers(output), Numbers(second));
    }

    [TestMethod]
    [DynamicData(nameof(Cases))]
    internal void Gates_and_their_slopes_are_those_of_libtorch_in_float64(Activation activation, int rows, int columns)
    {
        using var scope = NewDisposeScope();
        using Generator generator = new(2);
        Tensor both = randn([rows, 2 * columns], generator: generator) * 3, gradient = randn([rows, columns], generator: generator), leaf = both.to(float64).requires_grad_();
        Tensor[] gateAndUp = leaf.chunk(2, -1);
        Tensor expected = activation.Apply(gateAndUp[0]) * gateAndUp[1];
        expected.backward([gradient.to(float64)]);
        using ActivationMemory memory = new();
        using Tape tape = new(SequenceLayout.Full, memory, _ => null);
        using var _ = no_grad();
        Tensor size = (leaf.abs() + 1).square().max();

        Tensor output = activation.ApplyGated(both, tape);
        LayerPass pass = activation.RunGated(both.clone(), tape);

        RequireClose(expected.detach(), output, size);
        RequireClose(leaf.grad!, pass.Backward(gradient.clone()), size * gradient.abs().max().to(float64));
        CollectionAssert.AreEqual(Numbers(output), Numbers(pass.Output));
    }

    // A tail, which libtorch computes as 1 less nearly 1, has digits of its own.
    [TestMethod]
    public void The_tail_of_gelu_is_right_to_its_own_size()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Tensor input = linspace(-6.5, -1, 4096).view(1, -1), output = empty_like(input);
        Tensor wide = input.to(float64), expected = wide * 0.5 * special.erfc(wide.neg() / Math.Sqrt(2));
        WideActivation.Apply(Activation.Gelu, output, input);
        // The square in the exponent is rounded before it is exponentiated; the rest is eight operations.
        double worst = ((output.to(float64) / expected - 1).abs() / (wide.square() / 2 + 8)).max().ToDouble();
        Assert.IsLessThan(Precision, worst, $"{worst / Precision} units");
    }

    // Seen to fail with: the exponent as it is, infinite from 1e13 on, times a share of 0.
    [TestMethod]
    [DynamicData(nameof(All))]
    internal void Slopes_are_finite_wherever_their_squares_are(Activation activation)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Tensor slopes = tensor(new float[] { -1e18f, -1e13f, -200, 200, 1e13f, 1e18f }).unsqueeze(0), output = empty_like(slopes);
        WideActivation.Differentiate(activation, output, slopes);
        CollectionAssert.AreEqual(new float[] { 0, 0, 0, 1, 1, 1 }, Numbers(slopes));
        CollectionAssert.AreEqual(new float[] { 0, 0, 0, 200, 1e13f, 1e18f }, Numbers(output.abs()));
    }

    // A training that has gone wrong must be seen to have.
    [TestMethod]
    [DynamicData(nameof(All))]
    internal void What_is_not_a_number_is_not_hidden(Activation activation)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Tensor input = tensor(new float[] { 1, float.NaN, 2 }).unsqueeze(0), output = empty_like(input);
        WideActivation.Apply(activation, output, input);
        CollectionAssert.AreEqual(new[] { false, true, false }, output.isnan().data<bool>().ToArray());
    }

    private static float[] Numbers(Tensor tensor) => tensor.contiguous().data<float>().ToArray();

    private static void RequireClose(Tensor expected, Tensor actual, Tensor size)
    {
        double worst = ((actual.to(float64) - expected).abs() / size.clamp_min(1e-3)).max().ToDouble();
        Assert.IsLessThan(4 * Precision, worst, $"{worst / Precision} units");
    }
}
