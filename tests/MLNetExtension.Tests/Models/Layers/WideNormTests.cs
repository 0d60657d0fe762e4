using MLNetExtension.Models;
using MLNetExtension.Models.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models.Layers;

/// <summary>Norms 16 numbers at a time, beside libtorch in float64.</summary>
[TestClass]
public sealed class WideNormTests
{
    private const double Epsilon = 1e-5;

    // One vector; whole parts of rows, and a rest; enough for several threads; far from 0, where squares hide what differs.
    [TestMethod]
    [DataRow("layer", 1, 16, 0.0)]
    [DataRow("layer", 64, 48, 0.0)]
    [DataRow("layer", 300, 400, 0.0)]
    [DataRow("layer", 40, 64, 100.0)]
    [DataRow("layer without bias", 70, 32, 0.0)]
    [DataRow("root mean square", 33, 48, 0.0)]
    [DataRow("root mean square", 300, 400, 2.0)]
    [DataRow("one more", 31, 64, 0.0)]
    public void Results_and_gradients_are_those_of_libtorch_in_float64(string kind, int rows, int width, double mean)
    {
        using var scope = NewDisposeScope();
        (NormRule rule, Tensor input, Tensor gradient) = Draw(kind, rows, width, mean);
        Tensor x = Leaf(input), weight = Leaf(rule.Weight);
        Tensor? bias = rule.Bias is { } own ? Leaf(own) : null;
        Tensor expected = rule.Centers
            ? nn.functional.layer_norm(x, [width], weight, bias!, Epsilon)
            : x * (x.square().mean([-1], keepdim: true) + Epsilon).rsqrt() * (rule.AddsOne ? weight + 1 : weight);
        expected.backward([gradient.to(float64)]);

        (Tensor output, Tensor inputGradient, Dictionary<Tensor, Tensor> sums) = Compute(rule, input, gradient);

        // What float32 makes of a number far from 0 is the same for all: the digits that are left are told by the vector's spread.
        double tolerance = 1e-6 * (1 + mean);
        RequireClose(expected.detach(), output, tolerance);
        RequireClose(x.grad!, inputGradient, tolerance);
        RequireClose(weight.grad!, sums[rule.Weight], tolerance);
        if (bias is not null)
            RequireClose(bias.grad!, sums[rule.Bias!], tolerance);
    }

    // The law of a split, for each row; and the sums of a micro-batch are the same however many threads there are.
    [TestMethod]
    [DataRow("layer")]
    [DataRow("root mean square")]
    public void A_row_is_the_same_bit_for_bit_whatever_is_computed_with_it(string kind)
    {
        using var scope = NewDisposeScope();
        (NormRule rule, Tensor input, Tensor gradient) = Draw(kind, rows: 700, width: 128, mean: 0);
        int threads = get_num_threads();
        try
        {
            set_num_threads(1);
            (Tensor output, Tensor inputGradient, Dictionary<Tensor, Tensor> sums) = Compute(rule, input, gradient);
            (Tensor part, Tensor partGradient, _) = Compute(rule, input.narrow(0, 37, 5).clone(), gradient.narrow(0, 37, 5).clone());
            set_num_threads(3);
            (Tensor shared, Tensor sharedGradient, Dictionary<Tensor, Tensor> sharedSums) = Compute(rule, input, gradient);
            RequireSame(output, shared);
            RequireSame(inputGradient, sharedGradient);
            foreach (Tensor parameter in sums.Keys)
                RequireSame(sums[parameter], sharedSums[parameter]);
            RequireSame(output.narrow(0, 37, 5), part);
            RequireSame(inputGradient.narrow(0, 37, 5), partGradient);
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    [TestMethod]
    public void What_is_not_a_number_is_not_hidden()
    {
        using var scope = NewDisposeScope();
        (NormRule rule, Tensor input, Tensor gradient) = Draw("layer", rows: 3, width: 32, mean: 0);
        input[1, 5] = float.NaN;
        (Tensor output, Tensor inputGradient, _) = Compute(rule, input, gradient);
        bool[] rows = [false, true, false];
        CollectionAssert.AreEqual(rows, output.isnan().all(1).data<bool>().ToArray());
        CollectionAssert.AreEqual(rows, inputGradient.isnan().all(1).data<bool>().ToArray());
        CollectionAssert.AreEqual(rows, output.isnan().any(1).data<bool>().ToArray());
    }

    // Frozen weights, say below adapters, have no gradient, but what lies below them has.
    [TestMethod]
    public void Parameters_that_are_not_trained_change_nothing_else()
    {
        using var scope = NewDisposeScope();
        (NormRule rule, Tensor input, Tensor gradient) = Draw("layer", rows: 70, width: 32, mean: 0);
        (_, Tensor expected, _) = Compute(rule, input, gradient);
        (_, Tensor actual, Dictionary<Tensor, Tensor> sums) = Compute(rule, input, gradient, isTrained: false);
        RequireSame(expected, actual);
        Assert.IsEmpty(sums);
    }

    private static (NormRule Rule, Tensor Input, Tensor Gradient) Draw(string kind, int rows, int width, double mean)
    {
        using Generator generator = new(3);
        bool centers = kind.StartsWith("layer", StringComparison.Ordinal);
        NormRule rule = new(Random(width), kind == "layer" ? Random(width) : null, Epsilon, centers, AddsOne: kind == "one more");
        return (rule, Random(rows, width) + mean, Random(rows, width));

        Tensor Random(params long[] shape) => randn(shape, generator: generator);
    }

    private static (Tensor Output, Tensor InputGradient, Dictionary<Tensor, Tensor> Sums) Compute(NormRule rule, Tensor input, Tensor gradient, bool isTrained = true)
    {
        using var _ = no_grad();
        Dictionary<Tensor, Tensor> sums = new(ReferenceEqualityComparer.Instance);
        foreach (Tensor parameter in new[] { rule.Weight, rule.Bias }.OfType<Tensor>().Where(_ => isTrained))
            sums[parameter] = zeros_like(parameter);
        using ActivationMemory memory = new();
        using Tape tape = new(SequenceLayout.Full, memory, parameter => sums.GetValueOrDefault(parameter));
        LayerPass pass = rule.TryRun(input, tape) ?? throw new AssertFailedException("The norm is not computed here.");
        return (pass.Output.clone(), pass.Backward(gradient.clone()), sums);
    }

    private static Tensor Leaf(Tensor values) => values.to(float64).detach().requires_grad_();

    private static void RequireClose(Tensor expected, Tensor actual, double tolerance)
    {
        double worst = ((actual.to(float64) - expected).abs().max() / expected.abs().max()).ToDouble();
        Assert.IsLessThan(tolerance, worst);
    }

    private static void RequireSame(Tensor expected, Tensor actual) => CollectionAssert.AreEqual(expected.contiguous().data<float>().ToArray(), actual.contiguous().data<float>().ToArray());
}
